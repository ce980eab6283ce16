#include "config/url.h"

#include "text/text.h"

namespace sidecar {
namespace {

bool IsHost(std::string_view host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  if (host.empty()) return false;
  for (const char c : host) {
    if (!IsAlphanumeric(c) && c != '.' && c != '-' && c != '_' && c != ':') return false;
  }
  return true;
}

bool IsPort(std::string_view port) { return ParseNumber<uint16_t>(port).value_or(0) != 0; }

bool IsLoopbackHost(std::string_view host) { return host == "localhost" || host == "127.0.0.1" || host == "[::1]"; }

std::string Join(const UrlParts& parts) {
  return StrCat(parts.scheme, "://", parts.host, parts.port.empty() ? "" : ":", parts.port, parts.path);
}

}  // namespace

std::optional<HostPort> ParseHostPort(std::string_view text, uint16_t default_port) {
  const size_t bracket = text.rfind(']');
  const size_t colon = text.find(':', bracket == std::string_view::npos ? 0 : bracket);
  std::string_view host = text.substr(0, colon);
  if (colon != std::string_view::npos) {
    if (!IsPort(text.substr(colon + 1))) return std::nullopt;
    default_port = *ParseNumber<uint16_t>(text.substr(colon + 1));
  }
  if (!IsHost(host)) return std::nullopt;
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  return HostPort{.host = std::string(host), .port = default_port};
}

std::optional<UrlParts> SplitUrl(std::string_view url) {
  const size_t colon = url.find("://");
  if (colon == std::string_view::npos || url.find_first_of(" ?#@\t\r\n") != std::string_view::npos) return std::nullopt;
  UrlParts parts{.scheme = ToLower(url.substr(0, colon))};
  url.remove_prefix(colon + 3);
  const size_t slash = url.find('/');
  std::string_view authority = url.substr(0, slash);
  if (slash != std::string_view::npos) {
    std::string_view path = url.substr(slash);
    while (path.ends_with('/')) path.remove_suffix(1);
    parts.path = std::string(path);
  }
  const size_t bracket = authority.rfind(']');
  const size_t port_colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (port_colon != std::string_view::npos) {
    parts.port = std::string(authority.substr(port_colon + 1));
    if (!IsPort(parts.port)) return std::nullopt;
    authority = authority.substr(0, port_colon);
  }
  if (!IsHost(authority)) return std::nullopt;
  parts.host = std::string(authority);
  return parts;
}

std::optional<std::string> ParseBaseUrl(std::string_view url, std::string_view plain_scheme,
                                        std::string_view tls_scheme) {
  const std::optional<UrlParts> parts = SplitUrl(url);
  if (!parts.has_value() || (parts->scheme != plain_scheme && parts->scheme != tls_scheme)) return std::nullopt;
  if (EndsWithIgnoreCase(parts->path, "/graphql") || EndsWithIgnoreCase(parts->path, "/api")) {
    return std::nullopt;
  }
  return Join(*parts);
}

absl::StatusOr<std::string> ParseProxyUrl(std::string_view url) {
  constexpr std::string_view kScheme = "http://";
  if (!Contains(url, "://")) return InvalidArgument("the scheme is missing");
  if (!EqualsIgnoreCase(url.substr(0, kScheme.size()), kScheme)) {
    return InvalidArgument("only http:// proxies are spoken to");
  }
  std::string_view rest = url.substr(kScheme.size());
  if (rest.ends_with('/')) rest.remove_suffix(1);
  // A password may hold anything but what ends it: the last @ does.
  const size_t at = rest.rfind('@');
  const std::string_view user_info = at == std::string_view::npos ? "" : rest.substr(0, at + 1);
  const std::string_view authority = rest.substr(user_info.size());
  if (Contains(authority, "/")) return InvalidArgument("a path does not belong there");
  const size_t bracket = authority.rfind(']');
  const size_t colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  const std::string_view host = authority.substr(0, colon);
  if (host.empty()) return InvalidArgument("the host is missing");
  if (!IsHost(host)) return InvalidArgument("the host is missing or has characters that no host has");
  if (colon == std::string_view::npos) return InvalidArgument("the port is missing");
  if (!IsPort(authority.substr(colon + 1))) return InvalidArgument("the port is not 1 to 65535");
  for (const char c : user_info) {
    if (IsControl(c) || c == ' ' || c == '/') return InvalidArgument("user and password must be percent-encoded");
  }
  return StrCat(kScheme, user_info, authority);
}

std::string WithoutUserInfo(std::string_view url) {
  const size_t at = url.rfind('@');
  if (at == std::string_view::npos) return std::string(url);
  const size_t scheme = url.find("://");
  return StrCat(scheme == std::string_view::npos ? "" : url.substr(0, scheme + 3), "***", url.substr(at));
}

std::string DeriveEdgeUrl(std::string_view api_url) {
  std::optional<UrlParts> parts = SplitUrl(api_url);
  if (!parts.has_value()) return "";
  if (IsLoopbackHost(parts->host)) {
    parts->port = "3060";
  } else {
    parts->host = "edge." + parts->host;
  }
  return Join(*parts);
}

std::string DeriveWsUrl(std::string_view api_url) {
  std::optional<UrlParts> parts = SplitUrl(api_url);
  if (!parts.has_value()) return "";
  parts->scheme = parts->scheme == "https" ? "wss" : "ws";
  return Join(*parts);
}

}  // namespace sidecar
