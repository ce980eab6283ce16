// Reports that are acknowledged before upstream has them: kept in a durable store, delivered
// in the background. Source: design section 9; docs/adr/0014.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "core/metrics.h"
#include "core/spool_lanes.h"
#include "core/spool_observer.h"
#include "ports/clock.h"
#include "ports/random.h"
#include "ports/spool_store.h"
#include "ports/timers.h"
#include "ports/usage_sink.h"

namespace sidecar {

struct SpoolSettings {
  uint64_t bytes_max = 64 << 20;   ///< of records that the store holds for delivery
  Millis age_max{7 * 86'400'000};  ///< older ones become dead letters
  size_t deliveries_max = 8;       ///< under way at once; one while upstream is failing
  Millis delivery_timeout{60'000};
  Millis pause_min{1'000};  ///< after a failed delivery; doubles from there
  Millis pause_max{60'000};
  SpoolLanes::Limits batch{};
};

/// What the spool counts a report as: its texts, and what a row costs beside them.
uint64_t SpoolBytes(const SpoolItem& item);

/// Order: per customer, usage and events each for themselves. A record leaves the store when
/// upstream has acknowledged or refused it, so a crash repeats some, under the same keys.
/// Thread-safe. Not destroyed while its timers, store or sink may still call it.
class Spool {
 public:
  using Done = absl::AnyInvocable<void(absl::Status) &&>;
  /// Hears what upstream answers to a usage report that was delivered.
  using ReceiptDone = std::function<void(UsageReceipt)>;

  struct Parts {
    SpoolStore& store;
    UsageSink& sink;
    Clock& clock;
    Timers& timers;
    Random& random;
    Metrics& metrics;
    SpoolObserver* observer = nullptr;  ///< nullptr: nobody is told
  };

  Spool(const Parts& parts, ReceiptDone receipt_done, const SpoolSettings& settings);
  ~Spool();

  /// Takes up what is held from before, tells the observer of its usage, and begins to deliver; waits for the disk.
  /// Once.
  absl::Status Start();

  /// Calls `done`, by `deadline`, with OK when all items are durable. RESOURCE_EXHAUSTED: the
  /// spool is full. UNAVAILABLE: the store failed. Neither keeps any of them.
  /// DEADLINE_EXCEEDED: the store was too slow; they may be delivered all the same.
  void Append(std::vector<SpoolItem> items, MonoTime deadline, Done done);

  /// Whether usage of the customer waits here: later reports must not overtake it.
  bool HoldsUsageOf(std::string_view customer_id) const;

  /// When an attempt must end that leaves time to spool what failed before `deadline`.
  MonoTime AttemptBy(MonoTime deadline) const;

  /// Begins no more deliveries. Appending goes on.
  void Stop();

  struct Progress {
    size_t waiting = 0;    ///< records that are not delivered
    size_t under_way = 0;  ///< deliveries
    size_t unsettled = 0;  ///< outcomes that the store does not know yet
    int failures = 0;      ///< deliveries that failed in a row
    absl::Status last_failure;
  };
  Progress progress() const;

 private:
  struct Delivery;
  struct Settlement;
  using DeliveryPtr = std::shared_ptr<Delivery>;

  /// Reads back the usage of an earlier life for the observer, in batches; waits for the disk.
  absl::Status TellOfHeld(const SpoolIndex& index);

  /// Starts deliveries while there may be more.
  void Pump();
  void Deliver(const DeliveryPtr& delivery);
  /// Sends the next part of a delivery, or ends it.
  void SendNext(const DeliveryPtr& delivery);
  void Send(const DeliveryPtr& delivery, size_t begin, size_t end);
  /// Passes on what upstream says of the records that come next.
  void PassOn(const Delivery& delivery, std::vector<UsageReceipt> receipts);
  void Acknowledged(const DeliveryPtr& delivery, size_t size);
  void Failed(const DeliveryPtr& delivery, size_t size, const UpstreamFailure& failure);
  void End(const DeliveryPtr& delivery, const UpstreamFailure* failure);
  void Pause(std::optional<Millis> retry_after) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  /// Tells the store; again until it succeeds. `loss`: of those that are dead.
  void Settle(const std::shared_ptr<const Settlement>& settlement, SpoolObserver::Loss loss);
  void TrySettle(const std::shared_ptr<const Settlement>& settlement);
  /// Buries what is too old; again every minute.
  void Sweep();
  void ShowSize() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Parts parts_;
  const ReceiptDone receipt_done_;
  const SpoolSettings settings_;

  mutable absl::Mutex mu_;
  SpoolLanes lanes_ ABSL_GUARDED_BY(mu_);
  uint64_t next_sequence_ ABSL_GUARDED_BY(mu_) = 1;
  uint64_t appending_bytes_ ABSL_GUARDED_BY(mu_) = 0;  // not yet in a lane
  uint64_t unsettled_bytes_ ABSL_GUARDED_BY(mu_) = 0;  // not in a lane any more, still on the disk
  size_t under_way_ ABSL_GUARDED_BY(mu_) = 0;
  size_t unsettled_ ABSL_GUARDED_BY(mu_) = 0;
  int failures_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Status last_failure_ ABSL_GUARDED_BY(mu_);
  MonoTime paused_until_ ABSL_GUARDED_BY(mu_) = MonoTime::min();
  Timers::Id pump_timer_ ABSL_GUARDED_BY(mu_) = Timers::kNone;
  bool started_ ABSL_GUARDED_BY(mu_) = false;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace sidecar
