#pragma once

namespace sidecar {

/// Jitter and ids. Thread-safe.
class Random {
 public:
  virtual ~Random() = default;

  /// Uniform in [0, 1).
  virtual double Uniform() = 0;
};

}  // namespace sidecar
