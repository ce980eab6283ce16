#include "front/new_connections.h"

#include <array>
#include <boost/asio/steady_timer.hpp>
#include <optional>
#include <utility>

namespace sidecar {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

/// First bytes of every HTTP/2 connection (RFC 9113 section 3.4). HTTP/1.1 methods differ
/// from it within the first three.
constexpr std::string_view kHttp2Preface = "PRI";

/// A client that says nothing for this long has no business here.
constexpr std::chrono::seconds kFirstBytesWithin{20};

}  // namespace

class NewConnections::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<NewConnections> owner, tcp::socket socket)
      : owner_(std::move(owner)), socket_(std::move(socket)), timer_(socket_.get_executor()) {
    place_ = owner_->waiting_.insert(owner_->waiting_.end(), this);
  }
  ~Connection() { Leave(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void Start() {
    timer_.expires_after(kFirstBytesWithin);
    timer_.async_wait([self = shared_from_this()](const error_code& error) {
      if (!error) self->Close();
    });
    ReadMore();
  }

  void Close() {
    Leave();
    timer_.cancel();
    error_code ignored;
    socket_.close(ignored);  // ends the read, and with it this
  }

 private:
  /// It no longer counts: it was handed on, or has ended.
  void Leave() {
    if (place_.has_value()) owner_->waiting_.erase(*place_);
    place_.reset();
  }

  void ReadMore() {
    socket_.async_read_some(asio::buffer(bytes_.data() + read_, bytes_.size() - read_),
                            [self = shared_from_this()](const error_code& error, size_t more) {
                              if (error || !self->place_.has_value()) return self->Close();
                              self->read_ += more;
                              self->Decide();
                            });
  }

  void Decide() {
    const std::string_view seen(bytes_.data(), read_);
    const size_t compared = std::min(seen.size(), kHttp2Preface.size());
    const bool http2 = seen.substr(0, compared) == kHttp2Preface.substr(0, compared);
    if (http2 && compared < kHttp2Preface.size()) return ReadMore();
    timer_.cancel();
    Leave();
    if (!http2) return owner_->take_http_(std::move(socket_), seen);
    error_code error;
    const int fd = socket_.release(error);
    if (!error) owner_->take_grpc_(fd, seen);
  }

  const std::shared_ptr<NewConnections> owner_;
  tcp::socket socket_;
  asio::steady_timer timer_;
  std::optional<std::list<Connection*>::iterator> place_;
  std::array<char, 1024> bytes_;
  size_t read_ = 0;
};

void NewConnections::Sniff(tcp::socket socket) {
  if (waiting_.size() >= max_) {
    crowded_out_.fetch_add(1, std::memory_order_relaxed);
    waiting_.front()->Close();
  }
  std::make_shared<Connection>(shared_from_this(), std::move(socket))->Start();
}

}  // namespace sidecar
