#include "adapters/feed/protocol.h"

#include <utility>

#include "text/text.h"

namespace sidecar {
namespace {

FeedMessage TypeOf(std::string_view name) {
  for (size_t i = 0; i + 1 < kFeedMessages; ++i) {
    const auto type = static_cast<FeedMessage>(i);
    if (FeedMessageName(type) == name) return type;
  }
  return FeedMessage::kOther;
}

}  // namespace

std::string ConnectionInitMessage(const ProcessIdentity& identity, std::string_view api_key) {
  return Dump({{"type", "connection_init"},
               {"payload",
                {{"headers",
                  {{"X-API-KEY", api_key},
                   {"source", kSourceName},
                   {"X-SDK-INSTANCE-ID", identity.instance_id},
                   {"X-SDK-OS-PROCESS-HOSTNAME", identity.host_name},
                   {"X-SDK-OS-PROCESS-ID", identity.process_id},
                   {"X-SDK-OS-PROCESS-TIMESTAMP", identity.started_at_epoch_ms},
                   {"X-SDK-OS-PROCESS-FINGERPRINT", identity.fingerprint}}}}}});
}

std::string SubscribeMessage(std::string_view id, const GraphqlOperation& operation) {
  return Dump({{"id", id},
               {"type", "subscribe"},
               {"payload",
                {{"variables", Json::object()},
                 {"extensions", Json::object()},
                 {"operationName", operation.name},
                 {"query", operation.document}}}});
}

std::string CompleteMessage(std::string_view id) { return Dump({{"id", id}, {"type", "complete"}}); }
std::string PingMessage() { return R"({"type":"ping"})"; }
std::string PongMessage() { return R"({"type":"pong"})"; }

absl::StatusOr<ServerMessage> ParseServerMessage(std::string_view text) {
  absl::StatusOr<Json> document = ParseJson(text);
  if (!document.ok()) return document.status();
  absl::Status error;
  JsonObject reader(*document, "", error);
  const std::string name = reader.TextOrEmpty("type");
  ServerMessage message{.type = TypeOf(name)};
  if (error.ok() && message.type == FeedMessage::kOther) {
    reader.Fail("type", StrCat("unknown message type '", Printable(name), "'"));
  }
  using enum FeedMessage;
  if (message.type == kNext || message.type == kError || message.type == kComplete) {
    message.id = reader.TextOrEmpty("id");
    if (message.id.empty()) reader.Fail("id", "expected the id of a subscription, got none");
  }
  if (!error.ok()) return error;
  if (const auto payload = document->find("payload"); payload != document->end()) {
    message.payload = std::move(*payload);
  }
  return message;
}

SubscriptionFailure ReadErrors(const Json& errors) {
  if (!errors.is_array() || errors.empty()) return {.message = "unspecified error"};
  absl::Status ignored;
  JsonObject first(errors[0], "errors[0]", ignored);
  SubscriptionFailure failure{.message = Printable(first.TextOrEmpty("message"))};
  std::string code;
  if (const Json* const extensions_json = first.Object("extensions")) {
    code = JsonObject(*extensions_json, "errors[0].extensions", ignored).TextOrEmpty("code");
  }
  // Servers differ in what they say of a document that does not fit their schema. An error of
  // an operation that ran has a path; one of the document has places in it, and no path
  // (GraphQL, section 7.1.2).
  const bool about_document = first.Has("locations") && !first.Has("path");
  failure.document_rejected = code == "GRAPHQL_VALIDATION_FAILED" || code == "GRAPHQL_PARSE_FAILED" ||
                              (code.empty() && about_document) || failure.message.starts_with("Cannot query field");
  return failure;
}

std::string Printable(std::string_view text) {
  constexpr size_t kMax = 200;
  std::string out;
  for (const char c : text.substr(0, kMax)) out.push_back(IsControl(c) ? '?' : c);
  return out;
}

}  // namespace sidecar
