#pragma once

#include <cstdint>

#include "absl/functional/any_invocable.h"
#include "domain/time.h"

namespace sidecar {

/// Runs functions later, on the timer thread (or inside Advance, in tests). Functions must
/// not block. Thread-safe.
class Timers {
 public:
  using Id = uint64_t;  ///< 0 is never given out
  static constexpr Id kNone = 0;

  virtual ~Timers() = default;

  /// Runs `fn` once, at `when` or as soon as possible after it.
  virtual Id At(MonoTime when, absl::AnyInvocable<void() &&> fn) = 0;

  /// True when the function will not run. False when it ran, is running, or the id is
  /// unknown. Never waits.
  virtual bool Cancel(Id id) = 0;
};

}  // namespace sidecar
