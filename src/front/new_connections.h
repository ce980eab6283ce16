#pragma once

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string_view>

namespace sidecar {

/// Takes a connected socket that is its own from now on.
using TakeGrpc = std::function<void(int fd, std::string_view already_read)>;
using TakeHttp = std::function<void(boost::asio::ip::tcp::socket socket, std::string_view already_read)>;

/// Connections that have yet to say whether they speak HTTP/2 or HTTP/1.1: their first bytes
/// tell. At most `max` at a time: one more closes the one that has kept silent the longest.
/// I/O thread only, except where noted. Owned by shared_ptr: connections refer to it.
class NewConnections : public std::enable_shared_from_this<NewConnections> {
 public:
  NewConnections(TakeGrpc take_grpc, TakeHttp take_http, size_t max)
      : take_grpc_(std::move(take_grpc)), take_http_(std::move(take_http)), max_(max) {}

  /// Waits for the first bytes, 20 s at most, and hands the connection on.
  void Sniff(boost::asio::ip::tcp::socket socket);

  const TakeGrpc& take_grpc() const { return take_grpc_; }
  const TakeHttp& take_http() const { return take_http_; }

  /// Connections closed because there were too many. Any thread.
  uint64_t crowded_out() const { return crowded_out_.load(std::memory_order_relaxed); }

 private:
  class Connection;

  const TakeGrpc take_grpc_;
  const TakeHttp take_http_;
  const size_t max_;
  std::list<Connection*> waiting_;  // the oldest first
  std::atomic<uint64_t> crowded_out_{0};
};

}  // namespace sidecar
