#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace sidecar {

/// What grpc.health.v1 says. Thread-safe.
class HealthState {
 public:
  enum class Phase {
    kServing,
    kDraining,  ///< NOT_SERVING; calls are still answered
    kEnded,     ///< Watch streams are ended by the server: their clients never end them
  };

  /// Whether the name is one that Check knows: "" and our services.
  static bool Knows(std::string_view service);

  Phase phase() const {
    absl::MutexLock lock(&mu_);
    return phase_;
  }

  /// Calls `changed` on every later change, until Forget. Returns a token.
  uint64_t Subscribe(std::function<void()> changed);
  void Forget(uint64_t token);

  void Enter(Phase phase);

 private:
  mutable absl::Mutex mu_;
  Phase phase_ ABSL_GUARDED_BY(mu_) = Phase::kServing;
  uint64_t next_token_ ABSL_GUARDED_BY(mu_) = 1;
  std::map<uint64_t, std::function<void()>> subscribers_ ABSL_GUARDED_BY(mu_);
};

}  // namespace sidecar
