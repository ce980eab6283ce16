#include "adapters/websocket/endpoint.h"

#include <openssl/evp.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "text/text.h"

namespace sidecar {
namespace {

struct HostPort {
  std::string host;
  std::string port;
};

/// host[:port] or [v6][:port]; nullopt when it is neither.
std::optional<HostPort> SplitAuthority(std::string_view authority, std::string_view default_port) {
  std::string_view host;
  std::string_view rest;
  if (authority.starts_with('[')) {
    const size_t end = authority.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    host = authority.substr(1, end - 1);
    rest = authority.substr(end + 1);
  } else {
    host = authority.substr(0, authority.find(':'));
    rest = authority.substr(host.size());
  }
  // What would end a header line or look like user info is no host.
  const auto forbidden = [](char c) { return IsControl(c) || c == ' ' || c == '@' || c == '\\' || c == '%'; };
  if (host.empty() || std::any_of(host.begin(), host.end(), forbidden)) return std::nullopt;
  if (rest.empty()) return HostPort{std::string(host), std::string(default_port)};
  if (rest.front() != ':' || ParseNumber<uint16_t>(rest.substr(1)).value_or(0) == 0) return std::nullopt;
  return HostPort{std::string(host), std::string(rest.substr(1))};
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string Decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool escape =
        text[i] == '%' && i + 2 < text.size() && HexDigit(text[i + 1]) >= 0 && HexDigit(text[i + 2]) >= 0;
    out.push_back(escape ? static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2])) : text[i]);
    if (escape) i += 2;
  }
  return out;
}

std::string Base64(std::string_view bytes) {
  std::vector<unsigned char> out((bytes.size() + 2) / 3 * 4 + 1);
  const int size =
      EVP_EncodeBlock(out.data(), reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  return std::string(out.begin(), out.begin() + size);
}

std::string Bracketed(const std::string& host) { return Contains(host, ":") ? StrCat("[", host, "]") : host; }

}  // namespace

std::string WebSocketEndpoint::HostAndPort() const { return StrCat(Bracketed(host), ":", port); }

std::string WebSocketEndpoint::Authority() const {
  return port == (tls ? "443" : "80") ? Bracketed(host) : HostAndPort();
}

absl::StatusOr<WebSocketEndpoint> ParseWebSocketUrl(std::string_view url) {
  WebSocketEndpoint endpoint;
  if (url.starts_with("wss://")) {
    endpoint.tls = true;
    url.remove_prefix(6);
  } else if (url.starts_with("ws://")) {
    url.remove_prefix(5);
  } else {
    return InvalidArgument("a WebSocket URL begins with ws:// or wss://");
  }
  const std::string_view authority = url.substr(0, url.find_first_of("/?"));
  std::optional<HostPort> split = SplitAuthority(authority, endpoint.tls ? "443" : "80");
  if (!split.has_value()) return InvalidArgument("a WebSocket URL names a host and, if need be, a port");
  endpoint.host = std::move(split->host);
  endpoint.port = std::move(split->port);
  const std::string_view target = url.substr(authority.size());
  endpoint.target = StrCat(target.starts_with('/') ? "" : "/", target);
  const auto forbidden = [](char c) { return IsControl(c) || c == ' ' || c == '#'; };
  if (std::any_of(endpoint.target.begin(), endpoint.target.end(), forbidden)) {
    return InvalidArgument("the path of a WebSocket URL has neither spaces nor a fragment");
  }
  return endpoint;
}

absl::StatusOr<HttpProxy> ParseProxyUrl(std::string_view url) {
  if (url.starts_with("http://")) {
    url.remove_prefix(7);
  } else if (Contains(url, "://")) {
    return InvalidArgument("the proxy's URL begins with http://");
  }
  url = url.substr(0, url.find('/'));
  HttpProxy proxy;
  if (const size_t at = url.rfind('@'); at != std::string_view::npos) {
    const std::string_view user_info = url.substr(0, at);
    const size_t colon = user_info.find(':');
    const std::string user = Decoded(user_info.substr(0, colon));
    const std::string password = colon == std::string_view::npos ? "" : Decoded(user_info.substr(colon + 1));
    proxy.authorization = StrCat("Basic ", Base64(StrCat(user, ":", password)));
    url.remove_prefix(at + 1);
  }
  std::optional<HostPort> split = SplitAuthority(url, "80");
  if (!split.has_value()) return InvalidArgument("the proxy's URL names a host and a port");
  proxy.host = std::move(split->host);
  proxy.port = std::move(split->port);
  return proxy;
}

}  // namespace sidecar
