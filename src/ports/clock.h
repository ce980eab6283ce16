#pragma once

#include "domain/time.h"

namespace sidecar {

/// Source of time. The only implementations are adapters/clock/system_clock.h and the
/// simulated one of the tests. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;

  virtual MonoTime Now() const = 0;
  virtual WallTime WallNow() const = 0;
  /// As Now(), as exact as the clock can: for durations that are measured.
  virtual std::chrono::nanoseconds Stopwatch() const { return Now().time_since_epoch(); }
};

}  // namespace sidecar
