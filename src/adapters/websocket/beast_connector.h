#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>

#include "adapters/http/proxy.h"
#include "adapters/websocket/websocket.h"
#include "domain/time.h"

namespace sidecar {

struct WebSocketLimits {
  Millis connect{10'000};  ///< from the look-up to the end of the handshake
  Millis close{1'000};     ///< for the peer's answer to a close frame
  size_t message_bytes_max = 4 << 20;
  size_t queued_bytes_max = 1 << 20;  ///< written and not yet taken by the kernel
  size_t queued_messages_max = 1'024;
};

/// WebSocketConnector over Boost.Beast (docs/adr/0012). TLS 1.2 or newer, with SNI and
/// verification of chain and host name. Everything runs on one io_context that one thread
/// runs; Connect, and the WebSockets, are used on that thread only, or after it has ended.
/// What is destroyed while the io_context is destroyed needs no care.
class BeastConnector : public WebSocketConnector {
 public:
  struct Settings {
    ProxySettings proxy;
    std::string extra_ca_file;  ///< PEM, trusted beside the system's; empty = none; read anew for each connection
    std::string user_agent;
    WebSocketLimits limits;
  };

  BeastConnector(boost::asio::io_context& context, Settings settings)
      : context_(context), settings_(std::move(settings)) {}

  std::unique_ptr<WebSocket> Connect(const std::string& url, const std::string& subprotocol,
                                     WebSocketEvents& events) override;

 private:
  boost::asio::io_context& context_;
  const Settings settings_;
};

}  // namespace sidecar
