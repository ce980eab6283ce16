#include "core/circuit_breaker.h"

#include <algorithm>
#include <utility>

namespace sidecar {

void CircuitBreaker::NoteSuccess() {
  absl::MutexLock lock(&mu_);
  // While it is open only a probe closes it: this is a request that was already under way.
  if (!open()) failures_ = 0;
}

void CircuitBreaker::NoteFailure(std::optional<Millis> retry_after) {
  absl::MutexLock lock(&mu_);
  ++failures_;
  if (open() || (failures_ < settings_.failures_to_open && !retry_after.has_value())) return;
  open_.store(true, std::memory_order_relaxed);
  ++opened_;
  next_delay_ = settings_.probe_min;
  ProbeAfter(std::max(settings_.probe_min, retry_after.value_or(Millis(0))));
}

void CircuitBreaker::ProbeAfter(Millis delay) {
  next_delay_ = std::min(settings_.probe_max, next_delay_ * 2);
  timers_.At(clock_.Now() + delay, [this] { RunProbe(); });
}

void CircuitBreaker::RunProbe() {
  probe_([this](bool ok) { ProbeEnded(ok); });
}

void CircuitBreaker::ProbeEnded(bool ok) {
  absl::MutexLock lock(&mu_);
  if (!ok) return ProbeAfter(next_delay_);
  failures_ = 0;
  open_.store(false, std::memory_order_relaxed);
}

CircuitBreaker::State CircuitBreaker::state() const {
  absl::MutexLock lock(&mu_);
  return {.open = open(), .failures = failures_, .opened = opened_};
}

}  // namespace sidecar
