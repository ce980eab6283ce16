// Stops asking an upstream that keeps failing. Source: design section 5.
#pragma once

#include <atomic>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "ports/clock.h"
#include "ports/timers.h"

namespace sidecar {

struct BreakerSettings {
  int failures_to_open = 5;  ///< in a row
  Millis probe_min{1'000};   ///< until the first probe; doubles with each that fails
  Millis probe_max{15'000};
};

/// Closed: every outcome is noted. Open: nobody is to ask; one probe at a time is made in the
/// background, by a timer, until one succeeds. Thread-safe; open() is one load.
///
/// Must outlive its timers: it lives as long as the process.
class CircuitBreaker {
 public:
  /// Asks upstream once; the argument is called once with the outcome, from any thread.
  using ProbeDone = absl::AnyInvocable<void(bool ok) &&>;
  using Probe = absl::AnyInvocable<void(ProbeDone)>;

  CircuitBreaker(Clock& clock, Timers& timers, const BreakerSettings& settings, Probe probe)
      : clock_(clock), timers_(timers), settings_(settings), probe_(std::move(probe)) {}

  bool open() const { return open_.load(std::memory_order_relaxed); }

  void NoteSuccess();

  /// `retry_after`: upstream said when to come back, which opens the breaker at once.
  void NoteFailure(std::optional<Millis> retry_after);

  /// For /status.
  struct State {
    bool open = false;
    int failures = 0;     ///< in a row
    uint64_t opened = 0;  ///< times
  };
  State state() const;

 private:
  void ProbeAfter(Millis delay) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RunProbe();
  void ProbeEnded(bool ok);

  Clock& clock_;
  Timers& timers_;
  const BreakerSettings settings_;
  Probe probe_;  // one at a time
  std::atomic<bool> open_{false};
  mutable absl::Mutex mu_;
  int failures_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t opened_ ABSL_GUARDED_BY(mu_) = 0;
  Millis next_delay_ ABSL_GUARDED_BY(mu_){0};
};

}  // namespace sidecar
