// Whether upstream accepts the API key, asked once at the start and again while it does not.
// Source: design section 13, docs/protocol.md section 1.6.
#pragma once

#include <functional>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "core/metrics.h"
#include "ports/clock.h"
#include "ports/timers.h"
#include "ports/upstream_failure.h"

namespace sidecar {

/// One check under way and one timer at a time, however many rejections are seen. Thread-safe.
/// Must outlive its timers: it lives as long as the process.
class KeyProber {
 public:
  using CheckDone = absl::AnyInvocable<void(absl::Status status, bool invalid_key) &&>;
  /// Asks upstream; the argument is called once, from any thread.
  using Check = std::function<void(CheckDone)>;

  static constexpr Millis kProbeEvery{15'000};

  KeyProber(Clock& clock, Timers& timers, Metrics& metrics, Check check)
      : clock_(clock), timers_(timers), metrics_(metrics), check_(std::move(check)) {}

  /// The start-up check; `ended` is called once, whatever the outcome.
  void Start(absl::AnyInvocable<void() &&> ended);

  /// An exchange was refused for its key. Asks again every kProbeEvery until one is not.
  void NoteRejected();

  /// The key is another one: asks at once.
  void KeyChanged();

  bool rejected() const;

 private:
  void Probe();
  void Ended(const absl::Status& status, bool invalid_key);
  void Arm() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Clock& clock_;
  Timers& timers_;
  Metrics& metrics_;
  const Check check_;
  mutable absl::Mutex mu_;
  bool probing_ ABSL_GUARDED_BY(mu_) = false;
  bool again_ ABSL_GUARDED_BY(mu_) = false;  // the key changed while it was being checked
  bool rejected_ ABSL_GUARDED_BY(mu_) = false;
  bool unreachable_ ABSL_GUARDED_BY(mu_) = false;
  Timers::Id timer_ ABSL_GUARDED_BY(mu_) = Timers::kNone;
};

}  // namespace sidecar
