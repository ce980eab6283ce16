#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace sidecar {

/// What was shown of pending usage, against what upstream said when it was over.
enum class UsageOverlayOutcome : uint8_t { kExact, kOver, kUnder, kExpired };
inline constexpr std::array<std::string_view, 4> kUsageOverlayOutcomes = {"exact", "over", "under", "expired"};

}  // namespace sidecar
