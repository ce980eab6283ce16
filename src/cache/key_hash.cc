#include "cache/key_hash.h"

#include <random>

namespace sidecar {

const HashSeed& HashSeed::OfThisProcess() {
  static const HashSeed seed = [] {
    std::random_device random;
    const auto word = [&] { return uint64_t{random()} << 32 | random(); };
    // Odd, so that a product never loses the low bits of the other factor.
    return HashSeed{word() | 1, word() | 1};
  }();
  return seed;
}

}  // namespace sidecar
