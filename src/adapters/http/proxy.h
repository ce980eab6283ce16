#pragma once

#include <string>
#include <string_view>

namespace sidecar {

/// HTTPS_PROXY, HTTP_PROXY and NO_PROXY as curl and Go read them.
struct ProxySettings {
  std::string https_proxy;  ///< URL, for https and wss targets; empty = none
  std::string http_proxy;   ///< URL, for http and ws targets
  std::string no_proxy;     ///< comma-separated hosts and domains; "*" = never a proxy
};

/// The proxy URL for a target, or empty. Loopback targets never use one.
std::string ProxyFor(const ProxySettings& settings, std::string_view scheme, std::string_view host);

}  // namespace sidecar
