#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace sidecar::bench {

/// Latencies in nanoseconds, in buckets of at most 1.6 % width.
class Histogram {
 public:
  void Add(uint64_t ns) {
    ++buckets_[Index(ns)];
    ++count_;
  }

  void Merge(const Histogram& other) {
    for (size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
    count_ += other.count_;
  }

  uint64_t count() const { return count_; }

  /// Upper edge of the bucket in which the quantile falls, in microseconds.
  double QuantileUs(double q) const {
    if (count_ == 0) return 0;
    const uint64_t wanted = std::min(count_ - 1, static_cast<uint64_t>(q * static_cast<double>(count_)));
    uint64_t seen = 0;
    for (size_t i = 0; i < buckets_.size(); ++i) {
      seen += buckets_[i];
      if (seen > wanted) return static_cast<double>(UpperEdge(i)) / 1000;
    }
    return 0;
  }

 private:
  static constexpr int kSubBits = 6;
  static constexpr size_t kSub = 1 << kSubBits;

  static size_t Index(uint64_t ns) {
    if (ns < kSub) return ns;
    const int exponent = 63 - std::countl_zero(ns) - kSubBits;
    return (static_cast<size_t>(exponent) + 1) * kSub + ((ns >> exponent) & (kSub - 1));
  }

  static uint64_t UpperEdge(size_t index) {
    if (index < kSub) return index + 1;
    const size_t exponent = index / kSub - 1;
    return ((kSub + index % kSub) + 1) << exponent;
  }

  std::array<uint64_t, 58 * kSub> buckets_{};
  uint64_t count_ = 0;
};

}  // namespace sidecar::bench
