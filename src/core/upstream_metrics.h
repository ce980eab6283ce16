// What exchanges with upstream count.
#pragma once

#include <array>
#include <string_view>

#include "core/duration_histogram.h"
#include "core/labelled_counters.h"

namespace sidecar {

enum class UpstreamTarget : uint8_t { kEdge, kGraphql };
inline constexpr std::array<std::string_view, 2> kUpstreamTargets{"edge", "graphql"};

/// How one exchange ended.
enum class UpstreamOutcome : uint8_t {
  kOk,
  kInvalidKey,
  kThrottled,    ///< 429
  kRefused,      ///< another 4xx, or an error of GraphQL
  kServerError,  ///< 5xx
  kTimeout,
  kUnavailable,  ///< no answer: connect, TLS, reset; or shed before it was sent
  kMalformed,    ///< an answer that could not be used
};
inline constexpr std::array<std::string_view, 8> kUpstreamOutcomes{
    "ok", "invalid_key", "throttled", "refused", "server_error", "timeout", "unavailable", "malformed"};

struct UpstreamExchanges {
  LabelledCounters<UpstreamOutcome, kUpstreamOutcomes.size()> outcomes;
  DurationHistogram duration;
};

}  // namespace sidecar
