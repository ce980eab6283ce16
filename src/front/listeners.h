// Our own accept loop: plaintext connections are told apart by their first bytes (gRPC or
// HTTP/1.1) and handed to the front or to the HTTP server.
#pragma once

#include <boost/asio/io_context.hpp>
#include <climits>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "front/new_connections.h"

namespace sidecar {

/// Takes a connected socket on which a TLS handshake is due.
using TakeTls = std::function<void(int fd)>;

struct ListenerLimits {
  size_t sniffed_max = 1024;  ///< connections of which nothing was read yet
  /// A connection whose descriptor is this number or more is closed at once: the kernel gives the
  /// lowest number that is free, so that as many are in use, and the rest is kept for upstream,
  /// Redis and files.
  int descriptor_max = INT_MAX;
};

/// Runs on the io_context it was given; construct and Close from any thread.
class Listeners {
 public:
  Listeners(boost::asio::io_context& context, TakeGrpc take_grpc, TakeHttp take_http,
            const ListenerLimits& limits = {});
  ~Listeners();

  /// Listens for gRPC and HTTP/1.1 on one port (0: any free one). Returns the port, or why
  /// not: UNAVAILABLE with the system's reason. An address of "::" takes IPv4 too.
  absl::StatusOr<uint16_t> ListenGrpc(const std::string& address, uint16_t port);
  /// Listens for gRPC over TLS only.
  absl::StatusOr<uint16_t> ListenTls(const std::string& address, uint16_t port, TakeTls take_tls);
  /// Listens for HTTP/1.1 only.
  absl::StatusOr<uint16_t> ListenHttp(const std::string& address, uint16_t port);
  /// Listens for gRPC on a Unix domain socket, mode 0660; replaces a dead socket, and nothing
  /// else that is there.
  absl::Status ListenUnix(const std::string& path);

  /// Stops accepting; connections that were accepted stay. Removes the socket file. Waits
  /// until the I/O thread has done so, at most a second.
  void Close();

  /// Connections closed because too many kept silent. Any thread.
  uint64_t crowded_out() const;
  /// Connections closed because too few descriptors were left. Any thread.
  uint64_t refused() const;

 private:
  struct State;
  const std::shared_ptr<State> state_;
};

}  // namespace sidecar
