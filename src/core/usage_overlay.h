// Lets reads see acknowledged usage that the record does not have yet: reports that wait in the
// spool, and those that upstream acknowledged without a total. The record itself stays what
// upstream said. Source: docs/adr/0025.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/synchronization/mutex.h"
#include "cache/entitlement_cache.h"
#include "core/metrics.h"
#include "core/pending_usage.h"
#include "core/spool_observer.h"
#include "ports/clock.h"
#include "ports/timers.h"

namespace sidecar {

/// Only ever raises what is shown. Thread-safe. Holds a lock of its own while it looks into the
/// cache; the cache never calls it. Not destroyed while its timers may still fire.
class UsageOverlay : public SpoolObserver {
 public:
  /// About 250 bytes each, and the ids; what is beyond is not shown early.
  static constexpr size_t kPendingMax = 100'000;
  static constexpr Millis kSweepEvery{1'000};

  UsageOverlay(const EntitlementCache& cache, Clock& clock, Timers& timers, Metrics& metrics,
               size_t pending_max = kPendingMax)
      : cache_(cache), clock_(clock), timers_(timers), metrics_(metrics), pending_max_(pending_max) {}

  /// Whether there may be anything to show. Asked before a record is looked up: what is not
  /// pending any more is in the record that is found after that.
  bool pending() const { return pending_.load(std::memory_order_acquire) > 0; }

  /// Raises usage in `feature`, which was read from `record`, and moves its period to the one
  /// that contains `now`. True: it did. The caller holds an epoch guard.
  bool Raise(const Record& record, FeatureView& feature, WallTime now) const;

  /// The place of a report that is about to be sent, for Acknowledge.
  uint64_t Sending() { return order_.fetch_add(1, std::memory_order_relaxed); }

  /// Upstream has counted a report. `apply` writes what the receipt says into the record.
  void Acknowledge(const UsageReport& report, const UsageReceipt& receipt, uint64_t sent,
                   absl::FunctionRef<void()> apply);

  // SpoolObserver
  void OnSpooled(const SpoolRecord& record) override;
  void OnDelivered(uint64_t sequence, const UsageReport& report, const UsageReceipt& receipt,
                   absl::FunctionRef<void()> apply) override;
  void OnLost(uint64_t sequence, Loss loss) override;

 private:
  struct Feature {
    std::string id;
    PendingUsage usage;
  };
  /// What is pending of one record. Stays where it is while anything is.
  struct Entity {
    EntityKey key;
    std::vector<Feature> features;

    PendingUsage* Find(std::string_view feature_id);
  };
  struct alignas(64) Shard {
    mutable absl::Mutex mu;
    absl::flat_hash_map<EntityKeyView, std::unique_ptr<Entity>> entities ABSL_GUARDED_BY(mu);
    size_t counted ABSL_GUARDED_BY(mu) = 0;
  };
  static constexpr size_t kShards = 16;

  /// What memory has of a feature.
  struct Held {
    enum class What : uint8_t { kNoRecord, kNotMetered, kMetered } what = What::kNoRecord;
    UsageBasis basis;

    std::optional<UsageBasis> metered() const;
  };
  /// The caller holds an epoch guard.
  Held Look(EntityKeyView key, std::string_view feature_id) const;

  size_t ShardIndex(EntityKeyView key) const;
  static Entity& EntityOf(Shard& shard, const EntityKey& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mu);
  static PendingUsage& UsageOf(Entity& entity, const std::string& feature_id);
  static Entity* FindEntity(Shard& shard, EntityKeyView key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mu);
  /// Forgets the entity, and features of it, of which nothing is pending.
  static void Tidy(Shard& shard, Entity& entity) ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mu);

  /// `sequence`: 0 for a report that was not spooled. `sent`: 0 for one that was, as nobody knows when first.
  void Count(const UsageReport& report, const UsageReceipt& receipt, uint64_t sequence, uint64_t sent,
             absl::FunctionRef<void()> apply);
  void CountTotal(PendingUsage& usage, const UsageReport& report, const UsageReceipt& receipt, uint64_t sequence,
                  uint64_t sent, Shard& shard, absl::FunctionRef<void()> apply) ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mu);

  /// False, and counted: there is no room.
  bool Reserve();
  void Release(size_t n);
  Moment Now() const { return {clock_.Now(), clock_.WallNow()}; }
  void Publish(const PendingUsage::Reconciled& reconciled);

  void ArmSweep();
  void Sweep();

  const EntitlementCache& cache_;
  Clock& clock_;
  Timers& timers_;
  Metrics& metrics_;
  const size_t pending_max_;

  std::atomic<size_t> pending_{0};
  std::atomic<uint64_t> order_{1};
  std::array<Shard, kShards> shards_;

  absl::Mutex index_mu_;
  /// Whose each spooled record is.
  absl::flat_hash_map<uint64_t, Entity*> spooled_ ABSL_GUARDED_BY(index_mu_);

  absl::Mutex sweep_mu_;
  size_t counted_ ABSL_GUARDED_BY(sweep_mu_) = 0;
  bool sweeping_ ABSL_GUARDED_BY(sweep_mu_) = false;
};

}  // namespace sidecar
