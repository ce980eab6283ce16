#include "sdk/https.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <chrono>
#include <optional>

#include "adapters/net/tls_client.h"
#include "config/url.h"
#include "text/text.h"

namespace stigg::sidecar::sdk {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using NetError = boost::system::error_code;
using ::sidecar::HttpRequest;
using ::sidecar::HttpResult;
using ::sidecar::StrCat;
using ::sidecar::Unavailable;

constexpr uint64_t kBodyMax = 16 << 20;

/// Asynchronous operations, one after the other, each waited for until a common deadline.
class Exchanger {
 public:
  Exchanger(const ::sidecar::UrlParts& url, std::chrono::milliseconds timeout)
      : host_(url.host.starts_with('[') ? url.host.substr(1, url.host.size() - 2) : url.host),
        port_(!url.port.empty()       ? url.port
              : url.scheme == "https" ? "443"
                                      : "80"),
        deadline_(std::chrono::steady_clock::now() + timeout) {}

  HttpResult Run(const HttpRequest& request, const ::sidecar::UrlParts& url, const std::string& extra_ca_file) {
    HttpResult result;
    result.surely_not_sent = true;
    if (result.status = Connect(); !result.status.ok()) return result;
    if (url.scheme == "https") {
      if (result.status = Secure(extra_ca_file); !result.status.ok()) return result;
    }
    http::request<http::string_body> message(http::string_to_verb(request.method), url.path.empty() ? "/" : url.path,
                                             11);
    message.set(http::field::host, url.port.empty() ? url.host : StrCat(url.host, ":", url.port));
    message.set(http::field::connection, "close");
    for (const auto& [name, value] : request.headers) message.set(name, value);
    message.body() = request.body;
    message.prepare_payload();
    result.surely_not_sent = false;
    http::response_parser<http::string_body> parser;
    parser.body_limit(kBodyMax);
    boost::beast::flat_buffer buffer;
    const auto talk = [&](auto& stream) {
      if (result.status = Wait("sending", [&](auto done) { http::async_write(stream, message, done); });
          !result.status.ok()) {
        return;
      }
      result.status = Wait("reading the answer", [&](auto done) { http::async_read(stream, buffer, parser, done); });
    };
    if (tls_.has_value()) {
      talk(*tls_);
    } else {
      talk(socket_);
    }
    if (!result.status.ok()) return result;
    result.response.status = static_cast<int>(parser.get().result_int());
    for (const auto& field : parser.get()) {
      result.response.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
    }
    result.response.body = std::move(parser.get().body());
    return result;
  }

 private:
  /// Starts an operation that calls its handler with an error first, and runs until it has.
  template <typename Start>
  absl::Status Wait(std::string_view what, Start start, NetError* out = nullptr) {
    std::optional<NetError> ended;
    start([&ended](const NetError& error, const auto&...) { ended = error; });
    context_.restart();
    context_.run_until(deadline_);
    if (!ended.has_value()) {
      NetError ignored;
      resolver_.cancel();
      socket_.close(ignored);
      context_.restart();
      context_.run();  // its handler refers to what is about to go
      return absl::DeadlineExceededError(StrCat(what, " takes too long (", host_, ":", port_, ")"));
    }
    if (out != nullptr) *out = *ended;
    if (!*ended) return absl::OkStatus();
    if (*ended == http::error::body_limit) return absl::ResourceExhaustedError("the answer is over 16 MiB");
    return Unavailable(what, " failed (", host_, ":", port_, "): ", ended->message());
  }

  absl::Status Connect() {
    tcp::resolver::results_type addresses;
    const auto resolve = [&](auto done) {
      resolver_.async_resolve(host_, port_,
                              [&addresses, done](const NetError& error, tcp::resolver::results_type found) mutable {
                                addresses = std::move(found);
                                done(error);
                              });
    };
    if (absl::Status status = Wait("looking up the address", resolve); !status.ok()) return status;
    return Wait("connecting", [&](auto done) { asio::async_connect(socket_, addresses, done); });
  }

  absl::Status Secure(const std::string& extra_ca_file) {
    if (absl::Status status = ::sidecar::TrustAuthorities(ssl_, extra_ca_file, "extra_ca_file"); !status.ok())
      return status;
    tls_.emplace(socket_, ssl_);
    if (absl::Status status = ::sidecar::ExpectHost(tls_->native_handle(), host_); !status.ok()) return status;
    NetError error;
    const auto handshake = [&](auto done) { tls_->async_handshake(asio::ssl::stream_base::client, done); };
    absl::Status status = Wait("the TLS handshake", handshake, &error);
    return error ? ::sidecar::TlsFailure(tls_->native_handle(), host_, error) : status;
  }

  const std::string host_;
  const std::string port_;
  const std::chrono::steady_clock::time_point deadline_;
  asio::io_context context_{1};
  tcp::resolver resolver_{context_};
  tcp::socket socket_{context_};
  asio::ssl::context ssl_{asio::ssl::context::tls_client};
  std::optional<asio::ssl::stream<tcp::socket&>> tls_;
};

}  // namespace

HttpResult Exchange(const HttpRequest& request, std::chrono::milliseconds timeout, const std::string& extra_ca_file) {
  const std::optional<::sidecar::UrlParts> url = ::sidecar::SplitUrl(request.url);
  if (!url.has_value() || (url->scheme != "http" && url->scheme != "https")) {
    return {.status = ::sidecar::InvalidArgument("api.url: '", request.url, "'; expected http[s]://host[:port][/path]"),
            .surely_not_sent = true};
  }
  try {
    return Exchanger(*url, timeout).Run(request, *url, extra_ca_file);
  } catch (const boost::system::system_error& error) {  // no descriptor, or no thread, is left
    return {.status = Unavailable(error.what()), .surely_not_sent = true};
  }
}

}  // namespace stigg::sidecar::sdk
