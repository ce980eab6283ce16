// A small cloud in memory: answers for the customers of a data file and counts their usage.
// Used by `dev` behind a network, and by OFFLINE_DATA_FILE without one.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "adapters/world/world_data.h"
#include "ports/change_feed.h"
#include "ports/clock.h"
#include "ports/usage_sink.h"

namespace sidecar {

/// An error as the cloud words it (docs/protocol.md section 2.3).
struct WorldError {
  std::string code;
  std::string message;
};

/// Thread-safe.
class World {
 public:
  /// Hears what changed: a UsagePush for each figure that moved, a ListPush for each customer
  /// or resource that new data changed. Called after the change, without the lock, on the
  /// thread that made it: when two threads change the same figure, the dates tell the order.
  using Listener = std::function<void(const Push&)>;

  World(WorldData data, Clock& clock);

  /// Sets who hears of changes. Before the first change.
  void Listen(Listener listener) { listener_ = std::move(listener); }

  /// What the cloud would answer: an unknown customer, an archived one and one without a
  /// plan are empty lists with a reason.
  CustomerEntitlements Entitlements(EntityKeyView key) const;

  /// Counts a report; a repeated idempotency key is answered as before and not counted.
  std::variant<UsageReceipt, WorldError> ReportUsage(const UsageReport& report);

  /// Counts events into the features that are fed by them; repeated keys are ignored.
  void ReportEvents(const std::vector<UsageEvent>& events);

  /// Replaces all data. Usage that was reported meanwhile is kept where the new data has
  /// the same figure as the old.
  void Replace(WorldData data);

 private:
  struct UsageKey {
    EntityKey entity;
    std::string id;
    auto operator<=>(const UsageKey& other) const {
      return std::tie(entity.customer_id, entity.resource_id, id) <=>
             std::tie(other.entity.customer_id, other.entity.resource_id, other.id);
    }
  };
  using EntityId = std::pair<std::string, std::string>;  // customer, resource
  struct Usage {
    double value = 0;
    WallTime updated_at{};
    std::optional<WallTime> period_start;  // of the period that value belongs to
    std::set<std::string> distinct;        // values seen in that period
  };

  const WorldSubscriber* FindSubscriber(EntityKeyView key) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  static const WorldGrant* FindGrant(const WorldGrants& grants, std::string_view id);
  WorldGrants GrantsOf(const WorldSubscriber& subscriber) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  UsagePeriod PeriodOf(const WorldGrant& grant) const;
  /// Usage of the current period, created from the data file on first use.
  Usage& UsageOf(const UsageKey& key, const WorldSubscriber& subscriber, const UsagePeriod& period) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  CustomerEntitlements EntitlementsOf(EntityKeyView key) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::variant<UsageReceipt, WorldError> CountReport(const UsageReport& report, std::vector<UsagePush>& moved)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void CountEvent(const UsageEvent& event, std::map<UsageKey, UsagePush>& moved) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  /// What each customer and resource of either world has now.
  std::map<EntityId, CustomerEntitlements> ListsOf(const WorldData& one, const WorldData& other) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Clock& clock_;
  Listener listener_;
  mutable absl::Mutex mu_;
  WorldData data_ ABSL_GUARDED_BY(mu_);
  WallTime data_since_ ABSL_GUARDED_BY(mu_);
  mutable std::map<UsageKey, Usage> usage_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, UsageReceipt> receipts_ ABSL_GUARDED_BY(mu_);  // by idempotency key
  std::set<std::string> event_keys_ ABSL_GUARDED_BY(mu_);
};

}  // namespace sidecar
