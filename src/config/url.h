#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace sidecar {

struct UrlParts {
  std::string scheme;
  std::string host;  ///< an IPv6 address keeps its brackets
  std::string port;  ///< empty: the scheme's default
  std::string path;  ///< without trailing slash
};

struct HostPort {
  std::string host;  ///< an IPv6 address without its brackets
  uint16_t port = 0;
};

/// host:port, the port with a default. nullopt for anything else.
std::optional<HostPort> ParseHostPort(std::string_view text, uint16_t default_port);

/// Splits scheme://host[:port][/path]; nullopt for anything else (user info, query, …).
std::optional<UrlParts> SplitUrl(std::string_view url);

/// A base URL with one of the two schemes, without trailing slash. nullopt when it is not a
/// URL of that kind, or ends in /api or /graphql, which the daemon adds where it belongs.
std::optional<std::string> ParseBaseUrl(std::string_view url, std::string_view plain_scheme,
                                        std::string_view tls_scheme);

/// A proxy's URL, http://[user:password@]host:port, without the slash that may end it.
/// INVALID_ARGUMENT says what is wrong in a few words that quote nothing: the value may hold
/// a password anywhere, since it is not understood.
absl::StatusOr<std::string> ParseProxyUrl(std::string_view url);

/// The same URL with *** for user and password.
std::string WithoutUserInfo(std::string_view url);

/// The Edge that belongs to an API URL: host prefixed with "edge."; for loopback hosts the
/// same host with port 3060 (docs/protocol.md section 1.1).
std::string DeriveEdgeUrl(std::string_view api_url);

/// The WebSocket that belongs to an API URL: http -> ws (docs/protocol.md section 3.1).
std::string DeriveWsUrl(std::string_view api_url);

}  // namespace sidecar
