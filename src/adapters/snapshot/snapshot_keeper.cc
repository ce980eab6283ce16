#include "adapters/snapshot/snapshot_keeper.h"

#include <pthread.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "text/text.h"

namespace sidecar {
namespace {

/// The weight of a thread at this level is a seventieth of an ordinary one's.
constexpr int kLowestPriority = 19;

/// In Linux both are of the calling thread, whatever their names say.
void LowerPriorityOfThisThread() {
  const auto thread = static_cast<id_t>(syscall(SYS_gettid));
  setpriority(PRIO_PROCESS, thread, kLowestPriority);
  constexpr int kWhoThread = 1;
  constexpr int kClassIdle = 3;
  constexpr int kClassShift = 13;
  syscall(SYS_ioprio_set, kWhoThread, thread, kClassIdle << kClassShift);
}

/// Keeps work down to a share of the time by naps between its steps.
class Pace {
 public:
  Pace(const Clock& clock, double share) : clock_(clock), share_(share), start_(clock.Now()) {}

  /// How long to nap now.
  Millis Nap() {
    constexpr Millis kShortest{2};
    constexpr Millis kLongest{100};
    const Millis worked = clock_.Now() - start_ - napped_;
    const Millis owed{static_cast<int64_t>(static_cast<double>(worked.count()) * (1 / share_ - 1))};
    const Millis nap = std::min(owed - napped_, kLongest);
    if (nap < kShortest) return Millis(0);
    napped_ += nap;
    return nap;
  }

 private:
  const Clock& clock_;
  const double share_;
  const MonoTime start_;
  Millis napped_{0};
};

}  // namespace

SnapshotKeeper::SnapshotKeeper(EntitlementCache& cache, SnapshotStore& store, Clock& clock, Timers& timers,
                               Metrics& metrics, Settings settings)
    : cache_(cache), store_(store), clock_(clock), timers_(timers), metrics_(metrics), settings_(std::move(settings)) {}

SnapshotKeeper::~SnapshotKeeper() { EndThread(); }

RestoredSnapshot SnapshotKeeper::Restore() {
  RestoredSnapshot restored;
  const MonoTime start = clock_.Now();
  const absl::Status status = RestoreSnapshot(cache_, clock_, store_, restored);
  const Millis took = clock_.Now() - start;
  metrics_.snapshot_records.Set(restored.records);
  if (absl::IsNotFound(status)) {
    spdlog::info("snapshot {}: there is none yet", settings_.path);
  } else if (status.ok()) {
    spdlog::info("snapshot {}: {} records restored in {} ms{}", settings_.path, restored.records, took.count(),
                 restored.cache_full ? ", the cache is full" : "");
  } else if (absl::IsAborted(status)) {
    Report(status);
  } else {
    metrics_.snapshot_errors.Add();
    spdlog::error("snapshot {}: {}; {} records were restored", settings_.path, Message(status), restored.records);
  }
  return restored;
}

void SnapshotKeeper::Start() {
  thread_ = std::thread([this] { Run(); });
}

void SnapshotKeeper::Run() {
  pthread_setname_np(pthread_self(), "sidecar-snap");
  LowerPriorityOfThisThread();
  Signals& signals = *signals_;
  for (;;) {
    ArmTimer();
    {
      absl::MutexLock lock(&signals.mu);
      const auto awake = [&signals] {
        signals.mu.AssertHeld();
        return signals.due || signals.stopping;
      };
      signals.mu.Await(absl::Condition(&awake));
      if (signals.stopping) return;
      signals.due = false;
    }
    Pace pace(clock_, settings_.cpu_share);
    Write([&] {
      const Millis nap = pace.Nap();
      absl::MutexLock lock(&signals.mu);
      if (nap > Millis(0)) {
        signals.mu.AwaitWithTimeout(absl::Condition(&signals.stopping), absl::Milliseconds(nap.count()));
      }
      return !signals.stopping;
    });
  }
}

void SnapshotKeeper::ArmTimer() {
  timer_ = timers_.At(clock_.Now() + settings_.interval, [signals = signals_] {
    absl::MutexLock lock(&signals->mu);
    signals->due = true;
  });
}

void SnapshotKeeper::EndThread() {
  if (!thread_.joinable()) return;
  {
    absl::MutexLock lock(&signals_->mu);
    signals_->stopping = true;
  }
  thread_.join();
  timers_.Cancel(timer_);
}

void SnapshotKeeper::Stop(MonoTime deadline) {
  EndThread();
  if (!Write([&] { return clock_.Now() < deadline; })) {
    spdlog::warn("snapshot {}: no time was left to write it; the former one stays", settings_.path);
  }
}

bool SnapshotKeeper::Write(SnapshotStore::KeepGoing keep_going) {
  if (cache_.stats().entries == 0) return true;
  const WallTime now = clock_.WallNow();
  const absl::StatusOr<SnapshotSize> size = WriteSnapshot(cache_, clock_, settings_.age_of, store_, keep_going);
  if (absl::IsCancelled(size.status())) return false;
  Report(size.status());
  if (!size.ok()) return true;
  metrics_.snapshot_records.Set(size->records);
  metrics_.snapshot_written_at_ms.Set(static_cast<uint64_t>(ToEpochMs(now)));
  spdlog::debug("snapshot {}: {} records, {} bytes{}", settings_.path, size->records, size->bytes,
                size->complete ? "" : "; the rest did not fit");
  return true;
}

void SnapshotKeeper::Report(const absl::Status& status) {
  if (!status.ok()) metrics_.snapshot_errors.Add();
  const std::string trouble(Message(status));
  if (trouble == trouble_) return;
  trouble_ = trouble;
  if (status.ok()) {
    spdlog::warn("snapshot {}: written again", settings_.path);
  } else if (absl::IsAborted(status)) {
    spdlog::warn("snapshot {}: {}; running without a snapshot until that ends", settings_.path, trouble);
  } else {
    spdlog::error("snapshot {}: {}; nothing is written until that is mended", settings_.path, trouble);
  }
}

}  // namespace sidecar
