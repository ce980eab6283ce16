// A small HTTP/1.1 server on an io_context: probes, metrics, status, and the upstream of
// `stigg-sidecar dev`. Not for the hit path.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "domain/time.h"
#include "ports/http_transport.h"

namespace sidecar {

struct ServerRequest {
  std::string method;
  std::string path;   ///< percent-encoded, without the query
  std::string query;  ///< percent-encoded, without '?'
  HttpHeaders headers;
  std::string body;
  bool from_loopback = false;  ///< the peer is on this machine

  /// First value of the header (case-insensitive), or empty.
  std::string_view Header(std::string_view name) const;
};

struct ServerResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  HttpHeaders headers;

  /// What to do to the connection instead of a proper answer: faults of `dev`.
  enum class Fault : uint8_t { kNone, kClose, kReset, kHalfBody, kSilence } fault = Fault::kNone;

  /// Set: nothing is answered here; the connection leaves this server and its socket goes to
  /// this function, on the io thread, as the request left it. For protocol upgrades. Not called
  /// when the peer sent more than the request: no protocol that we speak lets it.
  absl::AnyInvocable<void(boost::asio::ip::tcp::socket)&&> take_over = nullptr;
};

/// Called once per request, on the io thread or any other.
using Respond = absl::AnyInvocable<void(ServerResponse) &&>;
/// Called on the io thread; must not block.
using ServerHandler = std::function<void(ServerRequest, Respond)>;

/// Serves connections handed to it. Requests of one connection are answered in order.
/// Limits: 8 KiB of headers, `body_bytes_max` of body, `idle` between requests and for each
/// transfer, `connections_max` at once: one more closes the one that has waited longest for a
/// request, so that probes get through; when none waits, the new one is closed. One that was
/// taken over does not count.
class HttpServer {
 public:
  struct Limits {
    size_t body_bytes_max = 64 << 10;
    size_t connections_max = 256;
    Millis idle{30'000};
  };

  HttpServer(boost::asio::io_context& context, ServerHandler handler, const Limits& limits);
  ~HttpServer();  // closes all connections; the io_context must have stopped or be the caller's thread

  /// Serves a connection of which `already_read` was read. Called on the io thread.
  void Serve(boost::asio::ip::tcp::socket socket, std::string_view already_read);

 private:
  struct Shared;
  class Connection;

  const std::shared_ptr<Shared> shared_;
};

/// Decodes %XX; '+' is left alone. Invalid escapes are kept as they are.
std::string PercentDecode(std::string_view text);

/// Value of a query parameter, decoded; empty when absent.
std::string QueryValue(std::string_view query, std::string_view name);

}  // namespace sidecar
