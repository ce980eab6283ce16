// Where a WebSocket URL, or a proxy's URL, points to.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace sidecar {

struct WebSocketEndpoint {
  bool tls = false;
  std::string host;    ///< an IPv6 address without its brackets
  std::string port;    ///< a number
  std::string target;  ///< path and query, at least "/"

  /// For the Host header and CONNECT: the port only where it is not the scheme's own.
  std::string Authority() const;
  /// Always with the port.
  std::string HostAndPort() const;
};

/// ws://host[:port][/path] or wss://…. INVALID_ARGUMENT says what is wrong.
absl::StatusOr<WebSocketEndpoint> ParseWebSocketUrl(std::string_view url);

struct HttpProxy {
  std::string host;
  std::string port;
  std::string authorization;  ///< value of Proxy-Authorization; empty = none. A secret.
};

/// [http://][user:password@]host[:port][/]; user and password may be percent-encoded. The port
/// is 80 when not given, as with curl's http_proxy. INVALID_ARGUMENT never quotes the URL,
/// which may hold a password.
absl::StatusOr<HttpProxy> ParseProxyUrl(std::string_view url);

}  // namespace sidecar
