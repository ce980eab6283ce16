#include "adapters/http/proxy.h"

#include "text/text.h"

namespace sidecar {
namespace {

bool IsLoopback(std::string_view host) {
  return host == "localhost" || host == "::1" || host == "[::1]" || host.starts_with("127.");
}

/// "example.com" and ".example.com" both match example.com and everything below it.
bool Matches(std::string_view entry, std::string_view host) {
  entry = StripWhitespace(entry);
  if (entry.empty()) return false;
  if (entry == "*") return true;
  if (entry.front() == '.') entry.remove_prefix(1);
  if (EqualsIgnoreCase(entry, host)) return true;
  return host.size() > entry.size() && host[host.size() - entry.size() - 1] == '.' && EndsWithIgnoreCase(host, entry);
}

}  // namespace

std::string ProxyFor(const ProxySettings& settings, std::string_view scheme, std::string_view host) {
  if (IsLoopback(host)) return "";
  for (const std::string_view entry : Split(settings.no_proxy, ',')) {
    if (Matches(entry, host)) return "";
  }
  return scheme == "https" || scheme == "wss" ? settings.https_proxy : settings.http_proxy;
}

}  // namespace sidecar
