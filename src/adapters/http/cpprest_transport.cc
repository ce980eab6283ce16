#include "adapters/http/cpprest_transport.h"

#include <cpprest/http_client.h>
#include <cpprest/producerconsumerstream.h>
#include <cpprest/version.h>
#include <pplx/threadpool.h>

#include <atomic>
#include <boost/asio/ssl/context.hpp>
#include <utility>

#include "text/text.h"

namespace sidecar {
namespace {

namespace http = web::http;

/// Backstop far beyond any deadline of ours; the real limit is the exchange's own timer.
constexpr std::chrono::seconds kLibraryTimeout{600};

/// One request on its way: finishes once, by whichever comes first of response, failure and
/// deadline.
class Exchange {
 public:
  explicit Exchange(HttpTransport::Done done) : done_(std::move(done)) {}

  void Finish(HttpResult result) {
    if (!finished_.exchange(true, std::memory_order_acq_rel)) std::move(done_)(std::move(result));
  }
  void Fail(absl::Status status, bool surely_not_sent = false) {
    Finish({.status = std::move(status), .surely_not_sent = surely_not_sent});
  }
  bool finished() const { return finished_.load(std::memory_order_acquire); }

  pplx::cancellation_token_source cancel;
  Timers::Id timer = Timers::kNone;
  std::atomic<bool> too_large{false};
  /// The whole body was handed to the kernel: from here on the peer may have acted on it.
  std::atomic<bool> sent{false};

 private:
  std::atomic<bool> finished_{false};
  HttpTransport::Done done_;
};

absl::Status TooLarge(size_t limit) {
  return absl::ResourceExhaustedError(StrCat("response body is larger than ", limit, " bytes"));
}

http::http_request ToCpprest(const HttpRequest& request, const web::uri& target) {
  http::http_request message(request.method);
  message.set_request_uri(target.resource());
  std::string content_type = "application/octet-stream";
  for (const auto& [name, value] : request.headers) {
    if (EqualsIgnoreCase(name, "Content-Type")) {
      content_type = value;
    } else {
      message.headers().add(name, value);
    }
  }
  if (request.body.empty()) return message;
  if (request.send_once) {
    // A body that cannot be rewound keeps cpprestsdk from sending it again (docs/adr/0004).
    // This buffer copies at once; waiting for its tasks would need a free thread of the pool
    // that this may be running on.
    concurrency::streams::producer_consumer_buffer<uint8_t> buffer;
    buffer.putn_nocopy(reinterpret_cast<const uint8_t*>(request.body.data()), request.body.size());
    buffer.close(std::ios_base::out);
    message.set_body(buffer.create_istream(), request.body.size(), content_type);
  } else {
    message.set_body(request.body, content_type);
  }
  return message;
}

HttpResponse FromCpprest(const http::http_response& response, std::vector<unsigned char> body) {
  HttpResponse out{.status = response.status_code(), .body = std::string(body.begin(), body.end())};
  for (const auto& [name, value] : response.headers()) out.headers.emplace_back(name, value);
  return out;
}

}  // namespace

void CpprestTransport::SizeThreadPool(size_t threads) { crossplat::threadpool::initialize_with_threads(threads); }

CpprestTransport::CpprestTransport(Timers& timers, Settings settings)
    : timers_(timers), settings_(std::move(settings)) {}

CpprestTransport::~CpprestTransport() = default;

std::shared_ptr<CpprestTransport::Client> CpprestTransport::ClientFor(const std::string& origin,
                                                                      const std::string& scheme,
                                                                      const std::string& host) {
  absl::MutexLock lock(&mu_);
  std::shared_ptr<Client>& client = clients_[origin];
  if (client != nullptr) return client;
  http::client::http_client_config config;
  config.set_timeout(kLibraryTimeout);
  const std::string proxy = ProxyFor(settings_.proxy, scheme, host);
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
  config.set_ssl_context_callback([ca_file = settings_.extra_ca_file](boost::asio::ssl::context& context) {
    context.set_options(boost::asio::ssl::context::default_workarounds | boost::asio::ssl::context::no_sslv2 |
                        boost::asio::ssl::context::no_sslv3 | boost::asio::ssl::context::no_tlsv1 |
                        boost::asio::ssl::context::no_tlsv1_1);
    if (!ca_file.empty()) context.load_verify_file(ca_file);
  });
  client = std::make_shared<Client>(web::uri(origin), config);
  return client;
}

void CpprestTransport::DropPool(const std::string& origin, const std::shared_ptr<Client>& client) {
  absl::MutexLock lock(&mu_);
  const auto found = clients_.find(origin);
  if (found != clients_.end() && found->second == client) clients_.erase(found);
}

void CpprestTransport::Send(HttpRequest to_send, MonoTime deadline, Done done) {
  // Shared: the library may still read the body after the deadline has answered.
  const auto request = std::make_shared<const HttpRequest>(std::move(to_send));
  auto exchange = std::make_shared<Exchange>(std::move(done));
  const size_t limit = settings_.body_bytes_max;
  exchange->timer = timers_.At(deadline, [exchange] {
    exchange->Fail(absl::DeadlineExceededError("no complete response in time"));
    exchange->cancel.cancel();
  });
  const auto settle = [this, exchange] { timers_.Cancel(exchange->timer); };
  try {
    const web::uri target(request->url);
    const std::string origin = target.authority().to_string();
    http::http_request message = ToCpprest(*request, target);
    message.set_progress_handler(
        [exchange, limit, request](http::message_direction::direction direction, utility::size64_t so_far) {
          if (direction == http::message_direction::upload) {
            if (so_far >= request->body.size()) exchange->sent = true;
            return;
          }
          if (so_far <= limit) return;
          exchange->too_large = true;
          throw http::http_exception(std::make_error_code(std::errc::file_too_large), "response too large");
        });
    const std::shared_ptr<Client> client = ClientFor(origin, target.scheme(), target.host());
    client->request(message, exchange->cancel.get_token())
        .then([exchange, limit](http::http_response response) {
          if (response.headers().content_length() > limit) {
            exchange->too_large = true;
            exchange->cancel.cancel();
            throw http::http_exception(std::make_error_code(std::errc::file_too_large), "response too large");
          }
          return response.extract_vector().then(
              [response](std::vector<unsigned char> body) { return FromCpprest(response, std::move(body)); });
        })
        // The last link takes the task itself and reads its outcome: an exception that
        // nobody reads would end the process. It also keeps client and body alive.
        .then([this, exchange, limit, settle, client, origin, request](pplx::task<HttpResponse> task) {
          settle();
          const auto fail = [&](std::string_view why) {
            if (exchange->too_large) return exchange->Fail(TooLarge(limit));
            if (!exchange->finished()) DropPool(origin, client);
            exchange->Fail(Unavailable(why), /*surely_not_sent=*/!request->body.empty() && !exchange->sent);
          };
          try {
            exchange->Finish({.response = task.get()});
          } catch (const std::exception& error) {
            fail(error.what());
          } catch (...) {
            fail("the exchange was cancelled");
          }
        });
  } catch (const std::exception& error) {
    settle();
    exchange->Fail(Unavailable("cannot send: ", error.what()), /*surely_not_sent=*/true);
  }
}

}  // namespace sidecar
