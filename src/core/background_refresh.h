// Refreshes records that nobody waits for, a few at a time: after a gap of the change feed,
// and after a restore. Source: design section 7, restated in docs/architecture.md.
#pragma once

#include <deque>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "core/entitlement_resolver.h"

namespace sidecar {

struct BackgroundRefreshSettings {
  Millis interval{20};  ///< between two starts: 50 a second
  size_t under_way_max = 8;
  size_t queue_max = 1'000;  ///< records of one round; the least used are left to their next read
};

/// Thread-safe. Must outlive its timers: it lives as long as the process.
class BackgroundRefresh {
 public:
  BackgroundRefresh(EntitlementResolver& resolver, Clock& clock, Timers& timers,
                    const BackgroundRefreshSettings& settings)
      : resolver_(resolver), clock_(clock), timers_(timers), settings_(settings) {}

  /// Replaces what is still queued. `keys`: most recently used first.
  void Start(std::vector<EntityKey> keys);

  size_t queued() const;

 private:
  void Tick();
  void Arm() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OneEnded();

  EntitlementResolver& resolver_;
  Clock& clock_;
  Timers& timers_;
  const BackgroundRefreshSettings settings_;
  mutable absl::Mutex mu_;
  std::deque<EntityKey> queue_ ABSL_GUARDED_BY(mu_);
  size_t under_way_ ABSL_GUARDED_BY(mu_) = 0;
  bool armed_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace sidecar
