#include "adapters/feed/feed_status.h"

namespace sidecar {

std::string_view FeedEndCauseName(FeedEndCause cause) {
  static constexpr std::array<std::string_view, kFeedEndCauses> kNames{"connect", "lost",        "closed",    "no_ack",
                                                                       "no_pong", "invalid_key", "generation"};
  return kNames[static_cast<size_t>(cause)];
}

std::string_view FeedMessageName(FeedMessage type) {
  static constexpr std::array<std::string_view, kFeedMessages> kNames{"connection_ack", "ping",     "pong", "next",
                                                                      "error",          "complete", "other"};
  return kNames[static_cast<size_t>(type)];
}

}  // namespace sidecar
