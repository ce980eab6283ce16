#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace sidecar {

/// A small table of counts, one for each value of a label. Thread-safe. Not for what every
/// thread counts all the time: its cells share cache lines.
template <typename Label, size_t kLabels>
class LabelledCounters {
 public:
  void Add(Label label, uint64_t n = 1) { cells_[static_cast<size_t>(label)].fetch_add(n, std::memory_order_relaxed); }
  uint64_t value(size_t label) const { return cells_[label].load(std::memory_order_relaxed); }

 private:
  std::array<std::atomic<uint64_t>, kLabels> cells_{};
};

}  // namespace sidecar
