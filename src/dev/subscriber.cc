#include "dev/subscriber.h"

#include <utility>

#include "dev/json_members.h"
#include "text/text.h"

namespace sidecar::dev {
namespace {

/// The key travels in the payload, not in the headers of the upgrade (docs/protocol.md 3.1).
bool HasKey(const Json& message) {
  const Json* const payload = FindMember(message, "payload");
  const Json* const headers = payload == nullptr ? nullptr : FindMember(*payload, "headers");
  if (headers == nullptr || !headers->is_object()) return false;
  for (const auto& [name, value] : headers->items()) {
    if (EqualsIgnoreCase(name, "X-API-KEY")) return value.is_string() && !value.get_ref<const std::string&>().empty();
  }
  return false;
}

}  // namespace

void Subscriber::OnMessage(std::string_view text) {
  const absl::StatusOr<Json> message = ParseJson(text);
  const std::string type = message.ok() ? TextOf(*message, "type") : "";
  if (type == "connection_init") return Initialise(*message);
  if (type == "subscribe") return Subscribe(*message);
  if (type == "ping") return wire_.Send(R"({"type":"pong"})");
  if (type == "pong") return;
  if (type == "complete") {
    subscriptions_.erase(TextOf(*message, "id"));
    return;
  }
  Close(CloseCode::kBadMessage, "Invalid message received");
}

void Subscriber::OnInitTimeout() {
  if (!initialised()) Close(CloseCode::kInitTimeout, "Connection initialisation timeout");
}

void Subscriber::Initialise(const Json& message) {
  if (initialised()) return Close(CloseCode::kTooManyInits, "Too many initialisation requests");
  if (HitByFault()) return;
  if (!HasKey(message)) return Close(CloseCode::kForbidden, "Invalid API key");
  state_ = State::kAcknowledged;
  wire_.Send(R"({"type":"connection_ack"})");
}

void Subscriber::Subscribe(const Json& message) {
  if (!initialised()) return Close(CloseCode::kUnauthorized, "Unauthorized");
  const std::string id = TextOf(message, "id");
  const Json* const payload = FindMember(message, "payload");
  const std::string document = payload == nullptr ? "" : TextOf(*payload, "query");
  if (id.empty() || document.empty()) return Close(CloseCode::kBadMessage, "Invalid message received");
  if (subscriptions_.contains(id)) {
    // The reason of a close frame has 123 bytes.
    return Close(CloseCode::kDuplicateId, StrCat("Subscriber for ", id.substr(0, 64), " already exists"));
  }
  if (const std::optional<Fault> fault = faults_.TakeOnWebSocket(Fault::Kind::kError)) {
    return SendError(id, fault->reason.empty() ? "A fault of dev" : fault->reason, "UnexpectedError");
  }
  const std::string_view field = RootFieldOf(document);
  const std::optional<Subscription> subscription = SubscriptionNamed(field);
  if (!subscription.has_value()) {
    return SendError(id, StrCat("Cannot query field \"", field, "\" on type \"Subscription\"."),
                     "GRAPHQL_VALIDATION_FAILED");
  }
  if (subscriptions_.size() >= kSubscriptionsMax) {
    return SendError(id, StrCat("dev takes at most ", kSubscriptionsMax, " subscriptions of one connection"),
                     "RateLimitExceeded");
  }
  subscriptions_.emplace(id, *subscription);
}

size_t Subscriber::Publish(Subscription subscription, std::string_view payload) {
  size_t sent = 0;
  for (const auto& [id, subscribed] : subscriptions_) {
    if (subscribed != subscription) continue;
    ++sent;
    if (faults_.TakeOnWebSocket(Fault::Kind::kBadJson).has_value()) {
      wire_.Send(R"({"type":"next","payload":{"data":)");
    } else {
      wire_.Send(StrCat("{\"id\":", Dump(Json(id)), ",\"type\":\"next\",\"payload\":", payload, "}"));
    }
  }
  return sent;
}

bool Subscriber::HitByFault() {
  if (const std::optional<Fault> fault = faults_.TakeOnWebSocket(Fault::Kind::kClose)) {
    Close(static_cast<CloseCode>(fault->code), fault->reason);
    return true;
  }
  if (!faults_.TakeOnWebSocket(Fault::Kind::kSilent).has_value()) return false;
  subscriptions_.clear();
  wire_.FallSilent();
  return true;
}

void Subscriber::SendError(const std::string& id, std::string_view text, std::string_view code) {
  Json error = Json::object();
  error["message"] = text;
  error["extensions"] = Json::object();
  error["extensions"]["code"] = code;
  Json message = Json::object();
  message["id"] = id;
  message["type"] = "error";
  message["payload"] = Json::array({std::move(error)});
  wire_.Send(Dump(message));
}

void Subscriber::Close(CloseCode code, std::string reason) {
  subscriptions_.clear();
  wire_.Close(static_cast<uint16_t>(code), std::move(reason));
}

}  // namespace sidecar::dev
