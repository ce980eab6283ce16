// Messages of the subprotocol graphql-transport-ws (docs/protocol.md section 3.1).
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "adapters/feed/feed_status.h"
#include "adapters/json/json.h"
#include "adapters/upstream/documents.h"
#include "adapters/upstream/identity.h"

namespace sidecar {

inline constexpr std::string_view kSubprotocol = "graphql-transport-ws";

/// The first message; holds the API key.
std::string ConnectionInitMessage(const ProcessIdentity& identity, std::string_view api_key);
std::string SubscribeMessage(std::string_view id, const GraphqlOperation& operation);
std::string CompleteMessage(std::string_view id);
std::string PingMessage();
std::string PongMessage();

struct ServerMessage {
  FeedMessage type = FeedMessage::kOther;
  std::string id;  ///< of the subscription; next, error and complete only
  Json payload;    ///< null when there is none
};

/// INVALID_ARGUMENT: not JSON, not an object, an unknown type, or no id where one belongs.
absl::StatusOr<ServerMessage> ParseServerMessage(std::string_view text);

/// What went wrong with one subscription.
struct SubscriptionFailure {
  std::string message;
  /// The server refused the document itself: it does not know the operation.
  bool document_rejected = false;
};

/// Reads a list of GraphQL errors: the payload of `error`, or `errors` of a payload.
SubscriptionFailure ReadErrors(const Json& errors);

/// Text of a server's, fit for a log line: control characters out, at most 200 bytes.
std::string Printable(std::string_view text);

}  // namespace sidecar
