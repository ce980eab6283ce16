#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace sidecar {

/// What grpc.health.v1 says. Serving until Drain. Thread-safe.
class HealthState {
 public:
  /// Whether the name is one that Check knows: "" and our services.
  static bool Knows(std::string_view service);

  bool serving() const {
    absl::MutexLock lock(&mu_);
    return serving_;
  }

  /// Calls `changed` on every later change, until Forget. Returns a token.
  uint64_t Subscribe(std::function<void()> changed);
  void Forget(uint64_t token);

  void SetServing(bool serving);

 private:
  mutable absl::Mutex mu_;
  bool serving_ ABSL_GUARDED_BY(mu_) = true;
  uint64_t next_token_ ABSL_GUARDED_BY(mu_) = 1;
  std::map<uint64_t, std::function<void()>> subscribers_ ABSL_GUARDED_BY(mu_);
};

}  // namespace sidecar
