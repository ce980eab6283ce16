#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/counter.h"
#include "domain/time.h"

namespace sidecar {

/// How old answers are. Observe is wait-free and thread-safe, and one increment for what has
/// no age, as almost every answer under a live feed.
class AgeHistogram {
 public:
  /// Upper bounds of the buckets, in seconds; the last one is unbounded.
  static constexpr std::array<double, 9> kBoundsSecs{0, 1, 5, 30, 60, 300, 1'800, 3'600, 86'400};

  void Observe(Millis age) {
    if (age.count() == 0) return buckets_[0].Add();
    size_t i = 0;
    for (const int64_t bound : kBoundsMs) i += age.count() > bound ? 1 : 0;  // no branches
    buckets_[i].Add();
    sum_ms_.Add(static_cast<uint64_t>(age.count()));
  }

  /// Observations of bucket i alone; i up to and including kBoundsSecs.size().
  uint64_t bucket(size_t i) const { return buckets_[i].value(); }
  double sum_secs() const { return static_cast<double>(sum_ms_.value()) / 1000; }

 private:
  static constexpr auto kBoundsMs = [] {
    std::array<int64_t, kBoundsSecs.size()> bounds{};
    for (size_t i = 0; i < bounds.size(); ++i) bounds[i] = static_cast<int64_t>(kBoundsSecs[i] * 1000);
    return bounds;
  }();

  std::array<Counter, kBoundsSecs.size() + 1> buckets_;
  Counter sum_ms_;
};

}  // namespace sidecar
