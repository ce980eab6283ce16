// A WebSocket client connection as its user sees it. One implementation (Boost.Beast,
// docs/adr/0012) and a fake in tests.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace sidecar {

/// What a connection tells its owner, on the I/O thread, one at a time, never before Connect
/// has returned. The owner may destroy the WebSocket inside any of these.
class WebSocketEvents {
 public:
  virtual ~WebSocketEvents() = default;

  /// The handshake is done: messages may be sent.
  virtual void OnOpened() = 0;
  /// One whole message, text or binary; fragments are joined. Valid during the call only.
  virtual void OnMessage(std::string_view message) = 0;

  // Exactly one of these ends the connection; nothing follows it.

  /// A close frame came from the peer, as the first word or as the answer to ours. Code 1005:
  /// the frame carried none.
  virtual void OnClosed(uint16_t code, std::string_view reason) = 0;
  /// Anything else. UNAVAILABLE: not resolved, refused, TLS, handshake refused, broken off.
  /// DEADLINE_EXCEEDED: not open, or not closed, in time. RESOURCE_EXHAUSTED: a message over
  /// the cap, or the peer does not read what is sent. CANCELLED: Close came before the
  /// connection was open. INVALID_ARGUMENT: the URL.
  virtual void OnFailed(const absl::Status& why) = 0;
};

/// One connection. Used on the I/O thread only. Destroying it drops the connection at once,
/// without a close frame, and no event comes any more.
class WebSocket {
 public:
  virtual ~WebSocket() = default;

  /// Sends a text message after those sent before. Ignored before OnOpened and after Close.
  virtual void Send(std::string text) = 0;

  /// Sends what is queued and a close frame, and waits for the peer's; ends (by one of the
  /// two events) within a second whatever the peer does.
  virtual void Close(uint16_t code, std::string_view reason) = 0;
};

class WebSocketConnector {
 public:
  virtual ~WebSocketConnector() = default;

  /// Starts to connect to a ws:// or wss:// URL. The peer must agree to the subprotocol.
  /// `events` must outlive the WebSocket.
  virtual std::unique_ptr<WebSocket> Connect(const std::string& url, const std::string& subprotocol,
                                             WebSocketEvents& events) = 0;
};

}  // namespace sidecar
