// From a host name to a connected TCP socket, through an HTTP proxy where there is one.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <memory>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "adapters/net/connect_race.h"
#include "adapters/websocket/endpoint.h"

namespace sidecar {

/// Resolves a name, connects to the address of it that answers first, and asks a proxy for a
/// tunnel. Everything on one io_context that one thread runs.
class Dialer : public std::enable_shared_from_this<Dialer> {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  using Done = absl::AnyInvocable<void(absl::StatusOr<Socket>) &&>;

  Dialer(boost::asio::io_context& context, WebSocketEndpoint target, std::optional<HttpProxy> proxy)
      : target_(std::move(target)), proxy_(std::move(proxy)), resolver_(context), socket_(context) {}

  /// Once. `done` is not called before Start returns, nor after Cancel. The whole has no limit
  /// of its own: the caller cancels.
  void Start(Done done);

  /// Gives up. A look-up that is stuck in the system's resolver keeps nothing of ours alive.
  void Cancel();

 private:
  using Error = boost::system::error_code;

  void OnResolved(const Error& error, const boost::asio::ip::tcp::resolver::results_type& results);
  void OnConnected(const Error& error, Socket socket);
  void AskProxy();
  void OnProxyAnswer(const Error& error);
  void Fail(const absl::Status& why);
  void Finish(absl::StatusOr<Socket> result);

  const WebSocketEndpoint target_;
  const std::optional<HttpProxy> proxy_;
  Done done_;
  boost::asio::ip::tcp::resolver resolver_;
  std::shared_ptr<ConnectRace> race_;
  Socket socket_;
  std::optional<boost::beast::http::request<boost::beast::http::empty_body>> tunnel_request_;
  std::optional<boost::beast::http::response_parser<boost::beast::http::empty_body>> tunnel_answer_;
  boost::beast::flat_buffer buffer_{8 << 10};
};

}  // namespace sidecar
