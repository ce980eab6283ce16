#include "front/health_state.h"

#include <utility>

#include "service/methods.h"

namespace sidecar {

bool HealthState::Knows(std::string_view service) {
  return service.empty() || service == kServiceName || service == "grpc.health.v1.Health";
}

uint64_t HealthState::Subscribe(std::function<void()> changed) {
  absl::MutexLock lock(&mu_);
  subscribers_.emplace(next_token_, std::move(changed));
  return next_token_++;
}

void HealthState::Forget(uint64_t token) {
  absl::MutexLock lock(&mu_);
  subscribers_.erase(token);
}

void HealthState::Enter(Phase phase) {
  absl::MutexLock lock(&mu_);
  if (phase_ == phase) return;
  phase_ = phase;
  // Under the lock, so that nobody is told after Forget returned; subscribers only set an
  // alarm.
  for (const auto& [token, changed] : subscribers_) changed();
}

}  // namespace sidecar
