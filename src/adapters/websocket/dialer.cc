#include "adapters/websocket/dialer.h"

#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <utility>

#include "text/text.h"

namespace sidecar {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;

void Dialer::Start(Done done) {
  done_ = std::move(done);
  const std::string& host = proxy_.has_value() ? proxy_->host : target_.host;
  const std::string& port = proxy_.has_value() ? proxy_->port : target_.port;
  // Weak: the system's resolver cannot be interrupted, and may take half a minute.
  resolver_.async_resolve(host, port, tcp::resolver::numeric_service,
                          [weak = weak_from_this()](const Error& error, const tcp::resolver::results_type& results) {
                            if (const auto self = weak.lock()) self->OnResolved(error, results);
                          });
}

void Dialer::Cancel() {
  done_ = nullptr;
  resolver_.cancel();
  if (race_ != nullptr) race_->Cancel();
  Error ignored;
  socket_.close(ignored);
}

void Dialer::OnResolved(const Error& error, const tcp::resolver::results_type& results) {
  if (!done_) return;
  const std::string& host = proxy_.has_value() ? proxy_->host : target_.host;
  if (error) return Fail(Unavailable("cannot resolve ", host, ": ", error.message()));
  race_ = std::make_shared<ConnectRace>(resolver_.get_executor(), ConnectRace::InTurn(results));
  race_->Start([self = shared_from_this()](const Error& failed, Socket socket) {
    self->OnConnected(failed, std::move(socket));
  });
}

void Dialer::OnConnected(const Error& error, Socket socket) {
  race_.reset();
  if (!done_) return;
  if (error) {
    const std::string host =
        proxy_.has_value() ? StrCat("the proxy ", proxy_->host, ":", proxy_->port) : target_.HostAndPort();
    return Fail(Unavailable("cannot connect to ", host, ": ", error.message()));
  }
  socket_ = std::move(socket);
  Error ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
  if (proxy_.has_value()) return AskProxy();
  Finish(std::move(socket_));
}

void Dialer::AskProxy() {
  tunnel_request_.emplace(http::verb::connect, target_.HostAndPort(), 11);
  tunnel_request_->set(http::field::host, target_.HostAndPort());
  if (!proxy_->authorization.empty()) {
    tunnel_request_->set(http::field::proxy_authorization, proxy_->authorization);
  }
  http::async_write(socket_, *tunnel_request_, [self = shared_from_this()](const Error& error, size_t) {
    if (!self->done_) return;
    if (error) return self->OnProxyAnswer(error);
    self->tunnel_answer_.emplace();
    self->tunnel_answer_->skip(true);  // an answer to CONNECT has no body, whatever it says
    self->tunnel_answer_->header_limit(8 << 10);
    http::async_read_header(self->socket_, self->buffer_, *self->tunnel_answer_,
                            [self](const Error& read_error, size_t) { self->OnProxyAnswer(read_error); });
  });
}

void Dialer::OnProxyAnswer(const Error& error) {
  if (!done_) return;
  if (error) return Fail(Unavailable("the proxy ", proxy_->host, " broke off: ", error.message()));
  const unsigned int status = tunnel_answer_->get().result_int();
  if (status < 200 || status > 299) {
    return Fail(Unavailable("the proxy ", proxy_->host, " answered HTTP ", status, " to CONNECT"));
  }
  // We speak first in the tunnel: bytes that are here already cannot be the peer's.
  if (buffer_.size() > 0) return Fail(Unavailable("the proxy ", proxy_->host, " sent more than an answer"));
  Finish(std::move(socket_));
}

void Dialer::Fail(const absl::Status& why) { Finish(why); }

void Dialer::Finish(absl::StatusOr<Socket> result) {
  Done done = std::move(done_);
  done_ = nullptr;
  std::move(done)(std::move(result));
}

}  // namespace sidecar
