#include "adapters/http/upstream_clients.h"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/context.hpp>
#include <optional>
#include <utility>

#include "adapters/http/address_choice.h"
#include "adapters/http/cpprest_threads.h"
#include "text/text.h"

namespace sidecar {
namespace {

namespace http = web::http;
using Client = http::client::http_client;

http::client::http_client_config ConfigFor(const CpprestTransport::Settings& settings, const web::uri& target) {
  http::client::http_client_config config;
  config.set_timeout(settings.library_timeout);
  // A redirect is an answer: following it would show the API key to whom it names.
  config.set_max_redirects(0);
  const std::string proxy = ProxyFor(settings.proxy, target.scheme(), target.host());
  if (!proxy.empty()) {
    const web::uri uri(proxy);
    web::web_proxy web_proxy(web::uri_builder(uri).set_user_info("").to_uri());
    if (const std::string& user_info = uri.user_info(); !user_info.empty()) {
      const size_t colon = user_info.find(':');
      web_proxy.set_credentials(
          web::credentials(web::uri::decode(user_info.substr(0, colon)),
                           colon == std::string::npos ? "" : web::uri::decode(user_info.substr(colon + 1))));
    }
    config.set_proxy(web_proxy);
  }
  config.set_ssl_context_callback([ca_file = settings.extra_ca_file](boost::asio::ssl::context& context) {
    context.set_options(boost::asio::ssl::context::default_workarounds | boost::asio::ssl::context::no_sslv2 |
                        boost::asio::ssl::context::no_sslv3 | boost::asio::ssl::context::no_tlsv1 |
                        boost::asio::ssl::context::no_tlsv1_1);
    if (!ca_file.empty()) context.load_verify_file(ca_file);
  });
  return config;
}

bool IsAddress(const std::string& host) {
  boost::system::error_code error;
  boost::asio::ip::make_address(host, error);
  return !error || host.starts_with('[');
}

std::string PortOf(const web::uri& target) {
  if (!target.is_port_default()) return std::to_string(target.port());
  return target.scheme() == "https" ? "443" : "80";
}

/// The library expects a certificate for what Host says, and takes a port in it for a part of the name.
std::string HostOf(const web::uri& target) {
  if (target.scheme() == "https" || target.is_port_default()) return target.host();
  return StrCat(target.host(), ":", target.port());
}

}  // namespace

void UpstreamClients::Get(const web::uri& target, Use use) {
  const uint64_t failures = CpprestThreads::failures();
  const std::string origin = target.authority().to_string();
  std::optional<Route> route;
  {
    absl::MutexLock lock(&mu_);
    if (failures != failures_) routes_.clear();
    failures_ = failures;
    if (const auto known = routes_.find(origin); known != routes_.end()) {
      route = known->second;
    } else if (IsAddress(target.host()) || !ProxyFor(settings_.proxy, target.scheme(), target.host()).empty()) {
      route = routes_[origin] = Make(target, "");
    } else {
      std::vector<Use>& waiting = looking_[origin];
      waiting.push_back(std::move(use));
      if (waiting.size() > 1) return;
    }
  }
  if (route.has_value()) {
    std::move(use)(*std::move(route));  // NOLINT(bugprone-use-after-move): moved only where there is no route
    return;
  }
  ChooseAddress(CpprestThreads::context(), target.host(), PortOf(target),
                [self = shared_from_this(), target](absl::StatusOr<std::string> address) {
                  self->OnAddress(target, std::move(address));
                });
}

void UpstreamClients::OnAddress(const web::uri& target, absl::StatusOr<std::string> address) {
  const std::string origin = target.authority().to_string();
  absl::StatusOr<Route> route = address.ok() ? Unavailable("no client") : address.status();
  std::vector<Use> waiting;
  {
    absl::MutexLock lock(&mu_);
    waiting = std::move(looking_[origin]);
    looking_.erase(origin);
    try {
      if (address.ok()) route = routes_[origin] = Make(target, *address);
    } catch (const std::exception& error) {
      routes_.erase(origin);
      route = Unavailable(error.what());
    }
  }
  for (Use& use : waiting) std::move(use)(route);
}

void UpstreamClients::Drop(const std::shared_ptr<Client>& client) {
  absl::MutexLock lock(&mu_);
  absl::erase_if(routes_, [&](const auto& entry) { return entry.second.client == client; });
}

UpstreamClients::Route UpstreamClients::Make(const web::uri& target, const std::string& address) const {
  if (address.empty()) {
    return {.client = std::make_shared<Client>(target.authority(), ConfigFor(settings_, target)), .host = ""};
  }
  web::uri_builder builder(target.authority());
  builder.set_host(Contains(address, ":") ? StrCat("[", address, "]") : address);
  return {.client = std::make_shared<Client>(builder.to_uri(), ConfigFor(settings_, target)), .host = HostOf(target)};
}

}  // namespace sidecar
