// Instants and durations used throughout. Wall and monotonic time are different
// types, so that a timeout can never be computed from a clock that may jump.
#pragma once

#include <chrono>
#include <cstdint>

namespace sidecar {

using Millis = std::chrono::milliseconds;

/// Wall-clock instant, UTC, millisecond resolution: for dates that upstream sends.
using WallTime = std::chrono::time_point<std::chrono::system_clock, Millis>;

/// Monotonic instant, millisecond resolution: for ages, budgets and deadlines.
using MonoTime = std::chrono::time_point<std::chrono::steady_clock, Millis>;

inline constexpr WallTime WallTimeFromEpochMs(int64_t epoch_ms) { return WallTime(Millis(epoch_ms)); }
inline constexpr int64_t ToEpochMs(WallTime t) { return t.time_since_epoch().count(); }

/// Dates outside 1900-01-01 … 9999-12-31 are treated as absent: records keep 48 bits of a date, and
/// google.protobuf.Timestamp ends with year 9999.
inline constexpr int64_t kMinEpochMs = -2208988800000;
inline constexpr int64_t kMaxEpochMs = 253402300799999;

}  // namespace sidecar
