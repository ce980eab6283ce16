#include "adapters/http/cpprest_transport.h"

#include <cpprest/http_client.h>
#include <cpprest/producerconsumerstream.h>
#include <cpprest/version.h>

#include <atomic>
#include <utility>

#include "adapters/http/cpprest_threads.h"
#include "adapters/http/upstream_clients.h"
#include "text/text.h"

namespace sidecar {
namespace {

namespace http = web::http;

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

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"  // the library's base; only shared_ptr destroys this
/// Runs a continuation where its task completes, before the library goes on.
class AtOnce final : public pplx::scheduler_interface {
 public:
  void schedule(pplx::TaskProc_t proc, void* task) override { proc(task); }
};
#pragma GCC diagnostic pop

}  // namespace

struct CpprestTransport::Shared {
  Timers& timers;
  const Settings settings;
  const std::shared_ptr<UpstreamClients> clients;
  std::atomic<size_t> held{0};  ///< exchanges that exist
};

/// One request on its way: finishes once, by whichever comes first of response, failure and
/// deadline. The library may hold it longer, and reads the request meanwhile.
class CpprestTransport::Exchange {
 public:
  Exchange(std::shared_ptr<Shared> shared, HttpRequest request_in, Done done)
      : request(std::move(request_in)), shared_(std::move(shared)), done_(std::move(done)) {}
  ~Exchange() { --shared_->held; }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  static void Run(const std::shared_ptr<Shared>& shared, const std::shared_ptr<Exchange>& exchange,
                  const web::uri& target, const UpstreamClients::Route& route);

  void Finish(HttpResult result) {
    if (!finished_.exchange(true, std::memory_order_acq_rel)) std::move(done_)(std::move(result));
  }
  void Fail(absl::Status status, bool surely_not_sent = false) {
    Finish({.status = std::move(status), .surely_not_sent = surely_not_sent});
  }
  bool finished() const { return finished_.load(std::memory_order_acquire); }

  /// What the library says about bytes that went either way. Throws to end the exchange.
  void OnProgress(http::message_direction::direction direction, uint64_t so_far) {
    if (direction == http::message_direction::upload) {
      if (so_far >= request.body.size()) sent = true;
      return;
    }
    if (so_far > shared_->settings.body_bytes_max) RefuseTooLarge();
    // The library reads the size of a chunk as a signed number and adds it up.
    if (so_far < received_) throw http::http_exception("a chunk of the response has a negative size");
    received_ = so_far;
  }

  /// Looks at the head of the response, before the library reads on. Throws to end the
  /// exchange; then the connection is closed already, so that nobody is given it.
  void OnHead(const http::http_response& response) {
    answered = true;
    // The library takes an interim response for the final one, which stays on the connection.
    constexpr http::status_code kFirstFinal = 200;
    if (response.status_code() < kFirstFinal) {
      cancel.cancel();
      throw http::http_exception(StrCat("upstream sent an interim response (", response.status_code(), ")"));
    }
    if (response.headers().content_length() > shared_->settings.body_bytes_max) {
      cancel.cancel();
      RefuseTooLarge();
    }
  }

  const HttpRequest request;
  pplx::cancellation_token_source cancel;
  Timers::Id timer = Timers::kNone;
  std::atomic<bool> too_large{false};
  /// The whole body was handed to the kernel: from here on the peer may have acted on it.
  std::atomic<bool> sent{false};
  /// The head of a response has come: the address is one that answers.
  std::atomic<bool> answered{false};

 private:
  [[noreturn]] void RefuseTooLarge() {
    too_large = true;
    throw http::http_exception(std::make_error_code(std::errc::file_too_large), "response too large");
  }

  const std::shared_ptr<Shared> shared_;
  uint64_t received_ = 0;
  std::atomic<bool> finished_{false};
  Done done_;
};

void CpprestTransport::SizeThreadPool(size_t threads) { CpprestThreads::Start(threads); }

CpprestTransport::CpprestTransport(Timers& timers, const Settings& settings)
    : shared_(
          new Shared{.timers = timers, .settings = settings, .clients = std::make_shared<UpstreamClients>(settings)}) {}

CpprestTransport::~CpprestTransport() = default;

void CpprestTransport::Send(HttpRequest request, MonoTime deadline, Done done) {
  if (++shared_->held > shared_->settings.exchanges_max) {
    --shared_->held;
    return std::move(done)({.status = absl::ResourceExhaustedError("too many exchanges with upstream are under way"),
                            .surely_not_sent = true});
  }
  const auto exchange = std::make_shared<Exchange>(shared_, std::move(request), std::move(done));
  exchange->timer = shared_->timers.At(deadline, [exchange] {
    exchange->Fail(absl::DeadlineExceededError("no complete response in time"));
    exchange->cancel.cancel();
  });
  // The library reads certificates and sets TLS up where it is called: not on a thread that
  // answers checks.
  CpprestThreads::Post([shared = shared_, exchange] {
    if (!exchange->finished()) Start(shared, exchange);
  });
}

void CpprestTransport::Start(const std::shared_ptr<Shared>& shared, const std::shared_ptr<Exchange>& exchange) {
  // Not when the timer has fired: then it, and what it belongs to, may be gone.
  const auto fail = [shared, exchange](std::string_view why) {
    if (!exchange->finished()) shared->timers.Cancel(exchange->timer);
    exchange->Fail(Unavailable(why), /*surely_not_sent=*/true);
  };
  try {
    const web::uri target(exchange->request.url);
    shared->clients->Get(target, [shared, exchange, target, fail](absl::StatusOr<UpstreamClients::Route> route) {
      if (!route.ok()) return fail(Message(route.status()));
      if (exchange->finished()) return;
      try {
        Exchange::Run(shared, exchange, target, *route);
      } catch (const std::exception& error) {
        fail(StrCat("cannot send: ", error.what()));
      }
    });
  } catch (const std::exception& error) {
    fail(StrCat("cannot send: ", error.what()));
  }
}

void CpprestTransport::Exchange::Run(const std::shared_ptr<Shared>& shared, const std::shared_ptr<Exchange>& exchange,
                                     const web::uri& target, const UpstreamClients::Route& route) {
  http::http_request message = ToCpprest(exchange->request, target);
  if (!route.host.empty()) message.headers().add(http::header_names::host, route.host);
  message.set_progress_handler([exchange](http::message_direction::direction direction, utility::size64_t so_far) {
    exchange->OnProgress(direction, so_far);
  });
  route.client->request(message, exchange->cancel.get_token())
      .then(
          [exchange](const http::http_response& response) {
            exchange->OnHead(response);
            return response.extract_vector().then(
                [response](std::vector<unsigned char> body) { return FromCpprest(response, std::move(body)); });
          },
          pplx::task_options(std::make_shared<AtOnce>()))
      // The last link takes the task itself and reads its outcome: an exception that
      // nobody reads would end the process. It also keeps the client alive.
      .then(
          [shared, exchange, client = route.client](const pplx::task<HttpResponse>& task) {
            const bool in_time = !exchange->finished();
            if (in_time) shared->timers.Cancel(exchange->timer);
            const auto fail = [&](std::string_view why) {
              if (exchange->too_large) return exchange->Fail(TooLarge(shared->settings.body_bytes_max));
              // Not when the peer was merely slow: its connections are good.
              if (in_time || !exchange->answered) shared->clients->Drop(client);
              exchange->Fail(Unavailable(why),
                             /*surely_not_sent=*/!exchange->request.body.empty() && !exchange->sent);
            };
            try {
              exchange->Finish({.response = task.get()});
            } catch (const std::exception& error) {
              fail(error.what());
            } catch (...) {
              fail("the exchange was cancelled");
            }
          },
          pplx::task_options(pplx::get_ambient_scheduler()));
}

}  // namespace sidecar
