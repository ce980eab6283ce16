// Bytes of a record's rows and side area (private to the cache). All members are unaligned
// and read by memcpy.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "domain/time.h"

namespace sidecar::layout {

/// 48 bits. User-space addresses have no more on the platforms we build for (x86-64 and
/// AArch64 with the default address space).
struct Packed48 {
  uint8_t bytes[6];

  static Packed48 From(uint64_t value) {
    Packed48 packed;
    std::memcpy(packed.bytes, &value, 6);  // little-endian: the low six bytes
    return packed;
  }
  // In two loads: six bytes stored and then read as eight would stall the processor.
  uint64_t Get() const {
    uint32_t low;
    uint16_t high;
    std::memcpy(&low, bytes, sizeof(low));
    std::memcpy(&high, bytes + sizeof(low), sizeof(high));
    return low | uint64_t{high} << 32;
  }
};

inline constexpr uint64_t kAbsentTime = (uint64_t{1} << 48) - 1;

/// Dates that the format cannot hold become absent, as everywhere (domain/time.h).
inline Packed48 PackTime(std::optional<WallTime> time) {
  if (!time.has_value() || ToEpochMs(*time) < kMinEpochMs || ToEpochMs(*time) > kMaxEpochMs) {
    return Packed48::From(kAbsentTime);
  }
  return Packed48::From(static_cast<uint64_t>(ToEpochMs(*time) - kMinEpochMs));
}

inline std::optional<WallTime> UnpackTime(Packed48 packed) {
  const uint64_t value = packed.Get();
  if (value == kAbsentTime) return std::nullopt;
  return WallTimeFromEpochMs(static_cast<int64_t>(value) + kMinEpochMs);
}

static_assert(static_cast<uint64_t>(kMaxEpochMs - kMinEpochMs) < kAbsentTime);

template <typename T>
Packed48 PackPointer(const T* pointer) {
  return Packed48::From(reinterpret_cast<uint64_t>(pointer));
}

template <typename T>
const T* UnpackPointer(Packed48 packed) {
  return reinterpret_cast<const T*>(packed.Get());
}

enum FeatureFlag : uint8_t {
  kUnlimited = 1,
  kSoftLimit = 2,
  kHasLimit = 4,
  kHasSide = 8,  // enum values, credit rate or validUntil in the side area
};

struct __attribute__((packed)) FeatureRow {
  Packed48 definition;
  Packed48 anchor;
  Packed48 start;
  Packed48 end;
  Packed48 usage_updated_at;
  double usage_limit;
  double current_usage;
  uint8_t flags;
  uint8_t denied_reason;
  uint8_t reset;  // low three bits ResetPeriod, high bits ResetAnchor
  uint8_t side_offset[3];
};
static_assert(sizeof(FeatureRow) == 52);

struct __attribute__((packed)) CreditRow {
  Packed48 definition;
  Packed48 usage_period_end;
  Packed48 valid_until;
  Packed48 usage_updated_at;
  double usage_limit;
  double current_usage;
  uint8_t flags;
  uint8_t denied_reason;
  uint16_t reserved;
};
static_assert(sizeof(CreditRow) == 44);

inline constexpr size_t kSideBytesMax = (1 << 24) - 1;
inline constexpr uint16_t kNoCredit = 0xFFFF;

enum SideFlag : uint8_t { kSideValidUntil = 1, kSideEnumValues = 2, kSideCreditRate = 4 };

/// Sequential reader of a side area. The area was written by RecordWriter in this process;
/// its bounds are not checked again.
class SideReader {
 public:
  explicit SideReader(const char* at) : at_(at) {}

  template <typename T>
  T Read() {
    T value;
    std::memcpy(&value, at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }

  std::string_view ReadText() {
    const auto size = Read<uint16_t>();
    const std::string_view text(at_, size);
    at_ += size;
    return text;
  }

 private:
  const char* at_;
};

}  // namespace sidecar::layout
