#pragma once

#include <cstdint>
#include <random>

#include "domain/time.h"

namespace sidecar::sim {

/// The chance in a simulated life: all of it comes from one seed.
class Dice {
 public:
  explicit Dice(uint64_t seed) : rng_(seed) {}

  uint64_t Pick(uint64_t n) { return rng_() % n; }
  double Random() { return std::uniform_real_distribution<double>(0, 1)(rng_); }
  bool Chance(double p) { return Random() < p; }
  Millis Delay(int most_ms) { return Millis(static_cast<int64_t>(Random() * most_ms)); }

 private:
  std::mt19937_64 rng_;
};

}  // namespace sidecar::sim
