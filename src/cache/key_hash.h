// Hashes of the hot path: of a customer's key, seeded anew in every process so that nobody
// can prepare ids that collide, and of a feature id, one byte, where a collision costs one
// comparison.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "domain/entity_key.h"

namespace sidecar {

/// Random, the same for the life of the process.
struct HashSeed {
  uint64_t a;
  uint64_t b;
  static const HashSeed& OfThisProcess();
};

namespace hash_internal {

__extension__ using Uint128 = unsigned __int128;

/// Both halves of the 128-bit product, folded: each bit of the result depends on all bits.
inline uint64_t Fold(uint64_t x, uint64_t y) {
  const auto product = static_cast<Uint128>(x) * y;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

inline uint64_t Load(const char* at, size_t size) {
  uint64_t value = 0;
  std::memcpy(&value, at, size);
  return value;
}

/// The last bytes of a text, at most 16, as two words; they may overlap.
inline uint64_t Tail(const char* at, size_t size, uint64_t state, const HashSeed& seed) {
  uint64_t low = 0;
  uint64_t high = 0;
  if (size >= 8) {
    low = Load(at, 8);
    high = Load(at + size - 8, 8);
  } else if (size >= 4) {
    low = Load(at, 4);
    high = Load(at + size - 4, 4);
  } else if (size > 0) {
    low = static_cast<uint8_t>(at[0]) | uint64_t{static_cast<uint8_t>(at[size / 2])} << 8 |
          uint64_t{static_cast<uint8_t>(at[size - 1])} << 16;
  }
  return Fold(low ^ seed.a, high ^ state);
}

inline uint64_t Text(std::string_view text, uint64_t state, const HashSeed& seed) {
  const char* at = text.data();
  size_t left = text.size();
  for (; left > 16; at += 16, left -= 16) state = Fold(Load(at, 8) ^ seed.a, Load(at + 8, 8) ^ state);
  return Tail(at, left, state ^ text.size(), seed);
}

}  // namespace hash_internal

inline uint64_t HashKey(EntityKeyView key) {
  const HashSeed& seed = HashSeed::OfThisProcess();
  uint64_t state = hash_internal::Text(key.customer_id, seed.b, seed);
  if (!key.resource_id.empty()) state = hash_internal::Text(key.resource_id, state ^ seed.a, seed);
  return hash_internal::Fold(state ^ seed.b, seed.a | 1);
}

/// One byte of a feature id, for Record's tags.
inline uint8_t RecordTag(std::string_view feature_id) {
  constexpr HashSeed kFixed{0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F};
  return static_cast<uint8_t>(hash_internal::Text(feature_id, kFixed.b, kFixed) >> 32);
}

}  // namespace sidecar
