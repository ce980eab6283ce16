// What RPCs count: by method, how they ended and how long they took.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/duration_histogram.h"

namespace sidecar {

/// gRPC's status codes by number, as metrics call them.
inline constexpr std::array<std::string_view, 17> kRpcCodes{
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

/// One method's. Wait-free and thread-safe.
struct RpcMetrics {
  DurationHistogram duration;                                      ///< of all calls, however they ended
  std::array<std::atomic<uint64_t>, kRpcCodes.size()> failures{};  ///< by code; OK is what is left

  void Ended(int code, std::chrono::nanoseconds took) {
    duration.Observe(took);
    if (code > 0 && static_cast<size_t>(code) < failures.size()) {
      failures[static_cast<size_t>(code)].fetch_add(1, std::memory_order_relaxed);
    }
  }
};

}  // namespace sidecar
