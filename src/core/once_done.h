#pragma once

#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "ports/timers.h"

namespace sidecar {

/// Whoever comes first ends a wait: the outcome, or the deadline. Thread-safe.
class OnceDone {
 public:
  using Done = absl::AnyInvocable<void(absl::Status) &&>;

  /// At `deadline` calls `done` with DEADLINE_EXCEEDED, unless Finish came first.
  static std::shared_ptr<OnceDone> Make(Timers& timers, MonoTime deadline, Done done) {
    std::shared_ptr<OnceDone> once(new OnceDone(timers, std::move(done)));
    once->timer_ =
        timers.At(deadline, [once] { once->End(absl::DeadlineExceededError("the spool did not answer in time")); });
    return once;
  }

  /// Once.
  void Finish(const absl::Status& status) {
    timers_.Cancel(timer_);
    End(status);
  }

 private:
  OnceDone(Timers& timers, Done done) : timers_(timers), done_(std::move(done)) {}

  void End(const absl::Status& status) {
    Done done;
    {
      absl::MutexLock lock(&mu_);
      done = std::move(done_);
      done_ = nullptr;
    }
    if (done != nullptr) std::move(done)(status);
  }

  Timers& timers_;
  Timers::Id timer_ = Timers::kNone;  // set before anybody else knows this
  absl::Mutex mu_;
  Done done_ ABSL_GUARDED_BY(mu_);
};

}  // namespace sidecar
