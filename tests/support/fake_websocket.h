// WebSocket connections whose peer is the test.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "adapters/json/json.h"
#include "adapters/websocket/websocket.h"

namespace sidecar::testing {

/// One connection, seen from the peer; outlives the WebSocket.
struct FakePeer {
  std::string url;
  std::string subprotocol;
  WebSocketEvents* events = nullptr;  ///< nullptr: ended, or dropped by its owner
  std::vector<Json> sent;
  std::optional<std::pair<uint16_t, std::string>> close;  ///< asked for by the owner

  bool gone() const { return events == nullptr; }
  void Open() const { events->OnOpened(); }
  void Say(const std::string& message) const {
    if (events != nullptr) events->OnMessage(message);
  }
  void CloseWith(uint16_t code, const std::string& reason) {
    if (WebSocketEvents* const told = std::exchange(events, nullptr)) told->OnClosed(code, reason);
  }
  void Fail(const absl::Status& why) {
    if (WebSocketEvents* const told = std::exchange(events, nullptr)) told->OnFailed(why);
  }

  /// Messages of one type, in order.
  std::vector<Json> SentOf(const std::string& type) const {
    std::vector<Json> found;
    for (const Json& message : sent) {
      if (message["type"] == type) found.push_back(message);
    }
    return found;
  }
  /// Id of the latest subscription to an operation; empty when there is none.
  std::string IdOf(const std::string& operation) const {
    std::string id;
    for (const Json& message : SentOf("subscribe")) {
      if (message["payload"]["operationName"] == operation) id = message["id"].get<std::string>();
    }
    return id;
  }
};

class FakeConnector : public WebSocketConnector {
 public:
  std::unique_ptr<WebSocket> Connect(const std::string& url, const std::string& subprotocol,
                                     WebSocketEvents& events) override {
    peers.push_back(std::make_shared<FakePeer>(FakePeer{.url = url, .subprotocol = subprotocol, .events = &events}));
    return std::make_unique<Socket>(peers.back());
  }

  FakePeer& peer() { return *peers.back(); }  ///< of the latest connection

  std::vector<std::shared_ptr<FakePeer>> peers;

 private:
  class Socket : public WebSocket {
   public:
    explicit Socket(std::shared_ptr<FakePeer> peer) : peer_(std::move(peer)) {}
    ~Socket() override { peer_->events = nullptr; }
    void Send(std::string text) override { peer_->sent.push_back(*ParseJson(text)); }
    void Close(uint16_t code, std::string_view reason) override { peer_->close.emplace(code, reason); }

   private:
    const std::shared_ptr<FakePeer> peer_;
  };
};

}  // namespace sidecar::testing
