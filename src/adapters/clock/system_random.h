#pragma once

#include <random>

#include "ports/random.h"

namespace sidecar {

/// Seeded from the operating system, one generator a thread.
class SystemRandom : public Random {
 public:
  double Uniform() override {
    thread_local std::mt19937_64 generator{std::random_device{}()};
    return std::uniform_real_distribution<double>(0, 1)(generator);
  }
};

}  // namespace sidecar
