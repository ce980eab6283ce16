// Jitter that is the same whenever its seed is.
#pragma once

#include <atomic>
#include <cstdint>

#include "ports/random.h"

namespace sidecar::recording {

/// SplitMix64 (public domain, Steele, Lea and Flood 2014). Thread-safe.
class SeededRandom : public Random {
 public:
  explicit SeededRandom(uint64_t seed) : state_(seed) {}

  double Uniform() override {
    uint64_t z = state_.fetch_add(kStep, std::memory_order_relaxed) + kStep;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    z ^= z >> 31;
    constexpr int kMantissaBits = 53;
    return static_cast<double>(z >> (64 - kMantissaBits)) / static_cast<double>(uint64_t{1} << kMantissaBits);
  }

 private:
  static constexpr uint64_t kStep = 0x9E3779B97F4A7C15;
  std::atomic<uint64_t> state_;
};

}  // namespace sidecar::recording
