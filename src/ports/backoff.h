#pragma once

#include <algorithm>
#include <cstdint>

#include "domain/time.h"
#include "ports/random.h"

namespace sidecar {

/// The pause after `failures` failures in a row (1, 2, …): `min`, doubling up to `max`, of which
/// half is certain and half is chance, so that those who failed together do not try together.
inline Millis JitteredBackoff(Millis min, Millis max, int failures, Random& random) {
  const Millis step = std::min(max, min * (int64_t{1} << std::clamp(failures - 1, 0, 20)));
  return Millis(static_cast<int64_t>(static_cast<double>(step.count()) * (0.5 + 0.5 * random.Uniform())));
}

}  // namespace sidecar
