#include "front/listeners.h"

#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstring>
#include <future>

#include "text/text.h"

namespace sidecar {

namespace asio = boost::asio;
using asio::ip::tcp;
using asio::local::stream_protocol;
using boost::system::error_code;

namespace {

/// Pause after accept failed for want of descriptors: without it the loop would spin.
constexpr std::chrono::milliseconds kAcceptPause{100};

constexpr int kBacklog = 1024;

/// Longest wait for the I/O thread to close the listeners. It is not busy that long; if it is
/// stuck, the process ends all the same.
constexpr std::chrono::seconds kCloseWithin{1};

}  // namespace

struct Listeners::State : std::enable_shared_from_this<State> {
  State(asio::io_context& io, std::shared_ptr<NewConnections> accepted, int descriptors)
      : context(io), new_connections(std::move(accepted)), descriptor_max(descriptors) {}

  /// `hand` takes what was accepted.
  template <typename Acceptor, typename Hand>
  void Accept(std::shared_ptr<Acceptor> acceptor, Hand hand);

  /// `until_drain`: Close ends it; others serve until the process ends.
  template <typename Hand>
  absl::StatusOr<uint16_t> Listen(const std::string& address, uint16_t port, bool until_drain, Hand hand);

  asio::io_context& context;
  const std::shared_ptr<NewConnections> new_connections;
  const int descriptor_max;
  std::atomic<uint64_t> refused{0};
  std::vector<std::function<void()>> closers;  // io thread only, once accepting
  std::string unix_path;
};

namespace {

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

void Prepare(tcp::socket& socket) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  socket.native_non_blocking(true, ignored);
}

/// There is something that is not a socket: a mistaken path must not cost a file.
bool IsSomethingElse(const std::string& path) {
  struct stat info {};
  return lstat(path.c_str(), &info) == 0 && !S_ISSOCK(info.st_mode);
}

void UnlinkSocket(const std::string& path) {
  if (!IsSomethingElse(path)) unlink(path.c_str());
}

}  // namespace

template <typename Acceptor, typename Hand>
void Listeners::State::Accept(std::shared_ptr<Acceptor> acceptor, Hand hand) {
  acceptor->async_accept([self = shared_from_this(), acceptor, hand](const error_code& error, auto socket) {
    if (error == asio::error::operation_aborted || !acceptor->is_open()) return;
    if (error) {
      spdlog::warn("accepting a connection failed: {}", error.message());
      auto pause = std::make_shared<asio::steady_timer>(self->context, kAcceptPause);
      pause->async_wait([self, acceptor, hand, pause](const error_code&) { self->Accept(acceptor, hand); });
      return;
    }
    self->Accept(acceptor, hand);  // first: whatever becomes of this one, the next is taken
    if (socket.native_handle() < self->descriptor_max) return hand(std::move(socket));
    // Closed as it goes. Said once, counted always.
    if (self->refused.fetch_add(1, std::memory_order_relaxed) == 0) {
      spdlog::warn(
          "connections are refused: {} file descriptors are in use, and the rest is kept for upstream; raise "
          "the limit (ulimit -n, LimitNOFILE)",
          self->descriptor_max);
    }
  });
}

template <typename Hand>
absl::StatusOr<uint16_t> Listeners::State::Listen(const std::string& address, uint16_t port, bool until_drain,
                                                  Hand hand) {
  absl::StatusOr<std::shared_ptr<tcp::acceptor>> acceptor = OpenTcp(context, address, port);
  if (!acceptor.ok()) return acceptor.status();
  const uint16_t bound = (*acceptor)->local_endpoint().port();
  if (until_drain) closers.emplace_back([a = *acceptor] { a->close(); });
  Accept(*acceptor, std::move(hand));
  return bound;
}

Listeners::Listeners(asio::io_context& context, TakeGrpc take_grpc, TakeHttp take_http, const ListenerLimits& limits)
    : state_(std::make_shared<State>(
          context, std::make_shared<NewConnections>(std::move(take_grpc), std::move(take_http), limits.sniffed_max),
          limits.descriptor_max)) {}

Listeners::~Listeners() = default;

absl::StatusOr<uint16_t> Listeners::ListenGrpc(const std::string& address, uint16_t port) {
  return state_->Listen(address, port, /*until_drain=*/true,
                        [connections = state_->new_connections](tcp::socket socket) {
                          Prepare(socket);
                          connections->Sniff(std::move(socket));
                        });
}

absl::StatusOr<uint16_t> Listeners::ListenTls(const std::string& address, uint16_t port, TakeTls take_tls) {
  return state_->Listen(address, port, /*until_drain=*/true, [take_tls = std::move(take_tls)](tcp::socket socket) {
    Prepare(socket);
    error_code error;
    const int fd = socket.release(error);
    if (!error) take_tls(fd);
  });
}

absl::StatusOr<uint16_t> Listeners::ListenHttp(const std::string& address, uint16_t port) {
  return state_->Listen(address, port, /*until_drain=*/false,
                        [connections = state_->new_connections](tcp::socket socket) {
                          Prepare(socket);
                          connections->take_http()(std::move(socket), "");
                        });
}

absl::Status Listeners::ListenUnix(const std::string& path) {
  if (IsSomethingElse(path)) return Unavailable("cannot listen on ", path, ": it is not a socket");
  error_code error;
  stream_protocol::socket probe(state_->context);
  probe.connect(stream_protocol::endpoint(path), error);
  if (!error) return Unavailable("cannot listen on ", path, ": another process serves it");
  if (error == boost::system::errc::connection_refused) UnlinkSocket(path);  // left by a process that died
  auto acceptor = std::make_shared<stream_protocol::acceptor>(state_->context);
  error.clear();
  acceptor->open(stream_protocol(), error);
  if (!error) acceptor->bind(stream_protocol::endpoint(path), error);
  if (!error && chmod(path.c_str(), 0660) != 0) error.assign(errno, boost::system::system_category());
  if (!error) acceptor->listen(kBacklog, error);
  if (error) return Failure(path, error);
  state_->unix_path = path;
  state_->closers.emplace_back([acceptor] { acceptor->close(); });
  state_->Accept(acceptor, [connections = state_->new_connections](stream_protocol::socket socket) {
    error_code failed;
    socket.native_non_blocking(true, failed);
    const int fd = socket.release(failed);
    if (!failed) connections->take_grpc()(fd, "");
  });
  return absl::OkStatus();
}

void Listeners::Close() {
  auto closed = std::make_shared<std::promise<void>>();
  std::future<void> done = closed->get_future();
  asio::dispatch(state_->context, [state = state_, closed] {
    for (const auto& close : state->closers) close();
    state->closers.clear();
    if (!state->unix_path.empty()) UnlinkSocket(state->unix_path);
    closed->set_value();
  });
  if (done.wait_for(kCloseWithin) != std::future_status::ready)
    spdlog::warn("the I/O thread does not close the listeners");
}

uint64_t Listeners::crowded_out() const { return state_->new_connections->crowded_out(); }

uint64_t Listeners::refused() const { return state_->refused.load(std::memory_order_relaxed); }

}  // namespace sidecar
