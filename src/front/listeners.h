// Our own accept loop: plaintext connections are told apart by their first bytes (gRPC or
// HTTP/1.1) and handed to the front or to the HTTP server.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "domain/time.h"

namespace sidecar {

/// Takes a connected socket that is its own from now on.
using TakeGrpc = std::function<void(int fd, std::string_view already_read)>;
using TakeHttp = std::function<void(boost::asio::ip::tcp::socket socket, std::string_view already_read)>;

/// Runs on the io_context it was given; construct and Close from any thread.
class Listeners {
 public:
  Listeners(boost::asio::io_context& context, TakeGrpc take_grpc, TakeHttp take_http);
  ~Listeners();

  /// Listens for gRPC and HTTP/1.1 on one port (0: any free one). Returns the port, or why
  /// not: UNAVAILABLE with the system's reason. An address of "::" takes IPv4 too.
  absl::StatusOr<uint16_t> ListenGrpc(const std::string& address, uint16_t port);
  /// Listens for HTTP/1.1 only.
  absl::StatusOr<uint16_t> ListenHttp(const std::string& address, uint16_t port);
  /// Listens for gRPC on a Unix domain socket, mode 0660; replaces a dead socket file.
  absl::Status ListenUnix(const std::string& path);

  /// Stops accepting; connections that were accepted stay. Removes the socket file.
  void Close();

 private:
  struct State;
  const std::shared_ptr<State> state_;
};

}  // namespace sidecar
