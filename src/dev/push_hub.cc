#include "dev/push_hub.h"

#include <utility>

#include "dev/push_json.h"
#include "text/text.h"

namespace sidecar::dev {

bool PushHub::AsksForWebSocket(const ServerRequest& request) {
  return EqualsIgnoreCase(request.Header("Upgrade"), "websocket");
}

ServerResponse PushHub::Upgrade(const ServerRequest& request) {
  if (const std::optional<Fault> fault = faults_.TakeOnWebSocket(Fault::Kind::kRefuse)) {
    ServerResponse refusal{.status = fault->status, .body = "{}"};
    if (fault->retry_after_secs > 0) refusal.headers.emplace_back("Retry-After", StrCat(fault->retry_after_secs));
    return refusal;
  }
  std::erase_if(connections_, [](const auto& connection) { return connection.expired(); });
  if (connections_.size() >= limits_.connections_max) return {.status = 503, .body = "{}"};
  ServerResponse response;
  response.take_over = [this, request](boost::asio::ip::tcp::socket socket) {
    ++accepted_;
    auto connection = std::make_shared<PushConnection>(std::move(socket), faults_, limits_.connection);
    connections_.push_back(connection);
    connection->Accept(request);
  };
  return response;
}

std::vector<std::shared_ptr<PushConnection>> PushHub::Open() {
  std::vector<std::shared_ptr<PushConnection>> open;
  std::erase_if(connections_, [&](const auto& weak) {
    std::shared_ptr<PushConnection> connection = weak.lock();
    if (connection == nullptr) return true;
    if (connection->open()) open.push_back(std::move(connection));
    return false;
  });
  return open;
}

void PushHub::OnChange(const Push& push) {
  if (Open().empty()) return;
  const auto key_of = [](const auto& change) -> EntityKey {
    if constexpr (requires { change.key; }) return change.key;
    return {};
  };
  const EntityKey key = std::visit(key_of, push);
  for (const auto& [subscription, payload] : EncodePush(push, world_.Entitlements(key.view()))) {
    Publish(subscription, payload);
  }
}

size_t PushHub::Publish(Subscription subscription, const Json& payload) {
  const std::string text = Dump(payload);
  size_t subscriptions = 0;
  for (const auto& connection : Open()) subscriptions += connection->subscriber().Publish(subscription, text);
  return subscriptions;
}

void PushHub::ApplyFaults() {
  for (const auto& connection : Open()) {
    if (connection->subscriber().initialised()) connection->subscriber().HitByFault();
  }
}

Json PushHub::Describe() {
  const auto open = Open();
  Json subscriptions = Json::object();
  for (const Subscription subscription : kSubscriptions) subscriptions[std::string(RootField(subscription))] = 0;
  for (const auto& connection : open) {
    for (const auto& [id, subscription] : connection->subscriber().subscriptions()) {
      Json& count = subscriptions[std::string(RootField(subscription))];
      count = count.get<int>() + 1;
    }
  }
  Json description = Json::object();
  description["connections"] = open.size();
  description["accepted"] = accepted_;
  description["subscriptions"] = std::move(subscriptions);
  return description;
}

}  // namespace sidecar::dev
