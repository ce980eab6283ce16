#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace sidecar {

/// How long things take. Observe is wait-free and thread-safe, and finds its bucket without a
/// search: every bound is twice the one before.
class DurationHistogram {
 public:
  /// Bounded buckets: up to 16.4 µs, 32.8 µs, … 8.6 s; one more takes the rest.
  static constexpr size_t kBounded = 20;

  static constexpr double BoundSecs(size_t i) { return static_cast<double>(kUnitNs << i) / 1e9; }

  void Observe(std::chrono::nanoseconds duration) {
    const auto ns = static_cast<uint64_t>(std::max<int64_t>(0, duration.count()));
    const auto bucket = static_cast<size_t>(std::bit_width((ns > 0 ? ns - 1 : 0) / kUnitNs));
    buckets_[std::min(bucket, kBounded)].fetch_add(1, std::memory_order_relaxed);
    sum_ns_.fetch_add(ns, std::memory_order_relaxed);
  }

  /// Observations of bucket i alone; i up to and including kBounded.
  uint64_t bucket(size_t i) const { return buckets_[i].load(std::memory_order_relaxed); }
  double sum_secs() const { return static_cast<double>(sum_ns_.load(std::memory_order_relaxed)) / 1e9; }

 private:
  static constexpr uint64_t kUnitNs = uint64_t{1} << 14;

  std::array<std::atomic<uint64_t>, kBounded + 1> buckets_{};
  std::atomic<uint64_t> sum_ns_{0};
};

}  // namespace sidecar
