// What metrics and /status tell of the feed.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "adapters/json/entitlements_codec.h"
#include "domain/time.h"

namespace sidecar {

/// Why a connection ended, and so why there is another one.
enum class FeedEndCause : uint8_t {
  kConnect,     ///< it never opened: refused, not resolved, TLS, handshake
  kLost,        ///< broken off, or a message that may not be
  kClosed,      ///< the server closed it
  kNoAck,       ///< opened, but not acknowledged in time
  kNoPong,      ///< half-open: a ping was not answered in time
  kInvalidKey,  ///< the server closed it for the API key
  kGeneration,  ///< we closed it, to speak the other protocol generation
};
inline constexpr size_t kFeedEndCauses = 7;
/// Label of sidecar_ws_reconnects_total{cause}.
std::string_view FeedEndCauseName(FeedEndCause cause);

/// Messages that came in, by type.
enum class FeedMessage : uint8_t { kAck, kPing, kPong, kNext, kError, kComplete, kOther };
inline constexpr size_t kFeedMessages = 7;
/// Label of sidecar_ws_messages_total{type}.
std::string_view FeedMessageName(FeedMessage type);

struct FeedStatus {
  enum class State : uint8_t { kStopped, kConnecting, kLive, kWaiting };

  State state = State::kStopped;
  std::optional<WallTime> since;  ///< of this state
  /// Of the connection, the last one if there is none.
  std::optional<Generation> generation;
  /// Of all subscriptions, how many are interrupted while the connection is live.
  size_t interrupted_subscriptions = 0;
  std::string last_error;  ///< printable, never a secret; empty: none so far
  std::optional<WallTime> last_error_at;
  std::array<uint64_t, kFeedEndCauses> reconnects{};  ///< attempts after the first, by FeedEndCause
  std::array<uint64_t, kFeedMessages> messages{};     ///< by FeedMessage

  bool connected() const { return state == State::kLive; }
};

}  // namespace sidecar
