#pragma once

#include <functional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "config/config.h"
#include "ports/clock.h"
#include "ports/timers.h"

namespace sidecar {

/// The server API key, re-read from its file when that changes. Thread-safe.
class ApiKey {
 public:
  /// `changed` is called on the timer thread after a new value was taken.
  ApiKey(const Secret& secret, Clock& clock, Timers& timers, std::function<void()> changed);

  std::string value() const {
    absl::MutexLock lock(&mu_);
    return value_;
  }

 private:
  void Watch();

  const std::string file_;
  Clock& clock_;
  Timers& timers_;
  const std::function<void()> changed_;
  mutable absl::Mutex mu_;
  std::string value_ ABSL_GUARDED_BY(mu_);
};

}  // namespace sidecar
