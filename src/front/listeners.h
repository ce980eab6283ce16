// Our own accept loop: plaintext connections are told apart by their first bytes (gRPC or
// HTTP/1.1) and handed to the front or to the HTTP server.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "front/new_connections.h"

namespace sidecar {

/// Runs on the io_context it was given; construct and Close from any thread.
class Listeners {
 public:
  /// `sniffed_max`: connections of which nothing was read yet.
  Listeners(boost::asio::io_context& context, TakeGrpc take_grpc, TakeHttp take_http, size_t sniffed_max = 1024);
  ~Listeners();

  /// Listens for gRPC and HTTP/1.1 on one port (0: any free one). Returns the port, or why
  /// not: UNAVAILABLE with the system's reason. An address of "::" takes IPv4 too.
  absl::StatusOr<uint16_t> ListenGrpc(const std::string& address, uint16_t port);
  /// Listens for HTTP/1.1 only.
  absl::StatusOr<uint16_t> ListenHttp(const std::string& address, uint16_t port);
  /// Listens for gRPC on a Unix domain socket, mode 0660; replaces a dead socket, and nothing
  /// else that is there.
  absl::Status ListenUnix(const std::string& path);

  /// Stops accepting; connections that were accepted stay. Removes the socket file. Waits
  /// until the I/O thread has done so, at most a second.
  void Close();

  /// Connections closed because more than `sniffed_max` kept silent. Any thread.
  uint64_t crowded_out() const;

 private:
  struct State;
  const std::shared_ptr<State> state_;
};

}  // namespace sidecar
