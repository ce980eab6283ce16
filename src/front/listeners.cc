#include "front/listeners.h"

#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstring>
#include <future>
#include <list>

#include "text/text.h"

namespace sidecar {

namespace asio = boost::asio;
using asio::ip::tcp;
using asio::local::stream_protocol;
using boost::system::error_code;

namespace {

/// First bytes of every HTTP/2 connection (RFC 9113 section 3.4). HTTP/1.1 methods differ
/// from it within the first three.
constexpr std::string_view kHttp2Preface = "PRI";

/// A client that says nothing for this long has no business here.
constexpr std::chrono::seconds kFirstBytesWithin{20};

/// Pause after accept failed for want of descriptors: without it the loop would spin.
constexpr std::chrono::milliseconds kAcceptPause{100};

constexpr int kBacklog = 1024;

}  // namespace

struct Listeners::State : std::enable_shared_from_this<State> {
  State(asio::io_context& io, TakeGrpc grpc, TakeHttp http)
      : context(io), take_grpc(std::move(grpc)), take_http(std::move(http)) {}

  template <typename Acceptor>
  void Accept(std::shared_ptr<Acceptor> acceptor, bool grpc);

  asio::io_context& context;
  const TakeGrpc take_grpc;
  const TakeHttp take_http;
  std::vector<std::function<void()>> closers;  // io thread only, once accepting
  std::string unix_path;
};

namespace {

/// A connection of which nothing is known yet.
class NewConnection : public std::enable_shared_from_this<NewConnection> {
 public:
  NewConnection(tcp::socket socket, const TakeGrpc& take_grpc, const TakeHttp& take_http)
      : socket_(std::move(socket)), timer_(socket_.get_executor()), take_grpc_(take_grpc), take_http_(take_http) {}

  void Sniff() {
    timer_.expires_after(kFirstBytesWithin);
    timer_.async_wait([self = shared_from_this()](const error_code& error) {
      if (!error) self->socket_.cancel();
    });
    ReadMore();
  }

 private:
  void ReadMore() {
    socket_.async_read_some(asio::buffer(bytes_.data() + read_, bytes_.size() - read_),
                            [self = shared_from_this()](const error_code& error, size_t more) {
                              if (error) return self->timer_.cancel(), void();
                              self->read_ += more;
                              self->Decide();
                            });
  }

  void Decide() {
    const std::string_view seen(bytes_.data(), read_);
    const size_t compared = std::min(seen.size(), kHttp2Preface.size());
    if (seen.substr(0, compared) != kHttp2Preface.substr(0, compared)) {
      timer_.cancel();
      return take_http_(std::move(socket_), seen);
    }
    if (compared < kHttp2Preface.size()) return ReadMore();
    timer_.cancel();
    error_code error;
    const int fd = socket_.release(error);
    if (!error) take_grpc_(fd, seen);
  }

  tcp::socket socket_;
  asio::steady_timer timer_;
  const TakeGrpc& take_grpc_;
  const TakeHttp& take_http_;
  std::array<char, 1024> bytes_;
  size_t read_ = 0;
};

absl::Status Failure(const std::string& where, const error_code& error) {
  return Unavailable("cannot listen on ", where, ": ", error.message());
}

std::string Display(const tcp::endpoint& endpoint) {
  const std::string address = endpoint.address().to_string();
  return StrCat(endpoint.address().is_v6() ? StrCat("[", address, "]") : address, ":", endpoint.port());
}

absl::StatusOr<std::shared_ptr<tcp::acceptor>> OpenTcp(asio::io_context& context, const std::string& address,
                                                       uint16_t port) {
  error_code error;
  const auto ip = asio::ip::make_address(address, error);
  if (error) return InvalidArgument("'", address, "' is not an IP address");
  const tcp::endpoint endpoint(ip, port);
  auto acceptor = std::make_shared<tcp::acceptor>(context);
  acceptor->open(endpoint.protocol(), error);
  if (error && ip.is_v6() && ip.is_unspecified()) {
    return OpenTcp(context, "0.0.0.0", port);  // a machine without IPv6
  }
  if (!error) acceptor->set_option(tcp::acceptor::reuse_address(true), error);
  if (!error && ip.is_v6()) acceptor->set_option(asio::ip::v6_only(!ip.is_unspecified()), error);
  if (!error) acceptor->bind(endpoint, error);
  if (!error) acceptor->listen(kBacklog, error);
  if (error == boost::system::errc::address_family_not_supported && ip.is_v6() && ip.is_unspecified()) {
    return OpenTcp(context, "0.0.0.0", port);
  }
  if (error) return Failure(Display(endpoint), error);
  return acceptor;
}

void Hand(tcp::socket socket, bool grpc, const TakeGrpc& take_grpc, const TakeHttp& take_http) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  socket.native_non_blocking(true, ignored);
  if (!grpc) return take_http(std::move(socket), "");
  std::make_shared<NewConnection>(std::move(socket), take_grpc, take_http)->Sniff();
}

void Hand(stream_protocol::socket socket, bool, const TakeGrpc& take_grpc, const TakeHttp&) {
  error_code error;
  socket.native_non_blocking(true, error);
  const int fd = socket.release(error);
  if (!error) take_grpc(fd, "");
}

}  // namespace

template <typename Acceptor>
void Listeners::State::Accept(std::shared_ptr<Acceptor> acceptor, bool grpc) {
  acceptor->async_accept([self = shared_from_this(), acceptor, grpc](const error_code& error, auto socket) {
    if (error == asio::error::operation_aborted || !acceptor->is_open()) return;
    if (error) {
      spdlog::warn("accepting a connection failed: {}", error.message());
      auto pause = std::make_shared<asio::steady_timer>(self->context, kAcceptPause);
      pause->async_wait([self, acceptor, grpc, pause](const error_code&) { self->Accept(acceptor, grpc); });
      return;
    }
    Hand(std::move(socket), grpc, self->take_grpc, self->take_http);
    self->Accept(acceptor, grpc);
  });
}

Listeners::Listeners(asio::io_context& context, TakeGrpc take_grpc, TakeHttp take_http)
    : state_(std::make_shared<State>(context, std::move(take_grpc), std::move(take_http))) {}

Listeners::~Listeners() = default;

absl::StatusOr<uint16_t> Listeners::ListenGrpc(const std::string& address, uint16_t port) {
  absl::StatusOr<std::shared_ptr<tcp::acceptor>> acceptor = OpenTcp(state_->context, address, port);
  if (!acceptor.ok()) return acceptor.status();
  const uint16_t bound = (*acceptor)->local_endpoint().port();
  state_->closers.emplace_back([a = *acceptor] { a->close(); });
  state_->Accept(*acceptor, /*grpc=*/true);
  return bound;
}

absl::StatusOr<uint16_t> Listeners::ListenHttp(const std::string& address, uint16_t port) {
  absl::StatusOr<std::shared_ptr<tcp::acceptor>> acceptor = OpenTcp(state_->context, address, port);
  if (!acceptor.ok()) return acceptor.status();
  const uint16_t bound = (*acceptor)->local_endpoint().port();
  state_->Accept(*acceptor, /*grpc=*/false);
  return bound;
}

absl::Status Listeners::ListenUnix(const std::string& path) {
  error_code error;
  stream_protocol::socket probe(state_->context);
  probe.connect(stream_protocol::endpoint(path), error);
  if (!error) return Unavailable("cannot listen on ", path, ": another process serves it");
  if (error == boost::system::errc::connection_refused) unlink(path.c_str());  // left by a process that died
  auto acceptor = std::make_shared<stream_protocol::acceptor>(state_->context);
  error.clear();
  acceptor->open(stream_protocol(), error);
  if (!error) acceptor->bind(stream_protocol::endpoint(path), error);
  if (!error && chmod(path.c_str(), 0660) != 0) error.assign(errno, boost::system::system_category());
  if (!error) acceptor->listen(kBacklog, error);
  if (error) return Failure(path, error);
  state_->unix_path = path;
  state_->closers.emplace_back([acceptor] { acceptor->close(); });
  state_->Accept(acceptor, /*grpc=*/true);
  return absl::OkStatus();
}

void Listeners::Close() {
  std::promise<void> closed;
  asio::dispatch(state_->context, [state = state_, &closed] {
    for (const auto& close : state->closers) close();
    state->closers.clear();
    if (!state->unix_path.empty()) unlink(state->unix_path.c_str());
    closed.set_value();
  });
  closed.get_future().wait();
}

}  // namespace sidecar
