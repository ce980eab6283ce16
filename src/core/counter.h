// Counters for the hit path: incremented from many threads without sharing a cache line.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace sidecar {

/// Monotonic count. Add is wait-free and thread-safe; value() may miss increments that are
/// under way.
class Counter {
 public:
  void Add(uint64_t n = 1) { cells_[Cell()].value.fetch_add(n, std::memory_order_relaxed); }

  uint64_t value() const {
    uint64_t sum = 0;
    for (const auto& cell : cells_) sum += cell.value.load(std::memory_order_relaxed);
    return sum;
  }

 private:
  static constexpr size_t kCells = 8;
  struct alignas(64) PaddedCell {
    std::atomic<uint64_t> value{0};
  };

  static size_t Cell() {
    // Not initialised at run time: that would cost a guard on each use.
    static std::atomic<size_t> next{0};
    static thread_local size_t cell = kCells;
    if (cell == kCells) [[unlikely]] {
      cell = next.fetch_add(1, std::memory_order_relaxed) % kCells;
    }
    return cell;
  }

  std::array<PaddedCell, kCells> cells_;
};

}  // namespace sidecar
