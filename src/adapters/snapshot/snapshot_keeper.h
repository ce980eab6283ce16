// Keeps a snapshot of the cache: restores it at the start, writes it now and then and at the
// end, on a thread of its own.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "cache/entitlement_cache.h"
#include "core/metrics.h"
#include "core/snapshot.h"
#include "ports/clock.h"
#include "ports/snapshot_store.h"
#include "ports/timers.h"

namespace sidecar {

/// Called in the order Restore, Start, Stop, by one thread; each blocks on files but Start.
/// Says in the log what does not work, once per change. An empty cache is never written: it
/// would only replace what a later start could use.
class SnapshotKeeper {
 public:
  struct Settings {
    std::string path;  ///< for messages
    Millis interval{60'000};
    AgeOfRecord age_of;
    /// Share of one CPU that a periodic write takes at most: the rest of the container's
    /// quota belongs to calls.
    double cpu_share = 0.25;
  };

  SnapshotKeeper(EntitlementCache& cache, SnapshotStore& store, Clock& clock, Timers& timers, Metrics& metrics,
                 Settings settings);
  /// Without Stop: gives up a write that is under way.
  ~SnapshotKeeper();

  /// Fills the cache. Before the listeners open.
  RestoredSnapshot Restore();

  /// From now on a snapshot is written every `interval`, at low priority.
  void Start();

  /// Ends the periodic writes and writes once more, on this thread, unless `deadline` passes.
  void Stop(MonoTime deadline);

 private:
  /// Shared with the timer, which may outlive the keeper.
  struct Signals {
    absl::Mutex mu;
    bool due ABSL_GUARDED_BY(mu) = false;
    bool stopping ABSL_GUARDED_BY(mu) = false;
  };

  void Run();
  void ArmTimer();
  void EndThread();
  /// False when keep_going ended it.
  bool Write(SnapshotStore::KeepGoing keep_going);
  void Report(const absl::Status& status);

  EntitlementCache& cache_;
  SnapshotStore& store_;
  Clock& clock_;
  Timers& timers_;
  Metrics& metrics_;
  const Settings settings_;
  const std::shared_ptr<Signals> signals_ = std::make_shared<Signals>();
  Timers::Id timer_ = Timers::kNone;  // of the thread while it runs
  std::string trouble_;               // what was last reported; empty: nothing is wrong
  std::thread thread_;
};

}  // namespace sidecar
