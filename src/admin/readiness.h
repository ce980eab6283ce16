#pragma once

#include <atomic>

namespace sidecar {

/// Whether to send traffic here: listeners accept, and upstream's first answer came in or its
/// grace is over; not while draining. Later loss of upstream does not matter: the cache and
/// the fallbacks still answer. Source: design section 13. Thread-safe.
class Readiness {
 public:
  void SetListening() { listening_ = true; }
  void SetFirstAttemptEnded() { first_attempt_ended_ = true; }
  void SetDraining() { draining_ = true; }

  bool ready() const { return listening_ && first_attempt_ended_ && !draining_; }

 private:
  std::atomic<bool> listening_{false};
  std::atomic<bool> first_attempt_ended_{false};
  std::atomic<bool> draining_{false};
};

}  // namespace sidecar
