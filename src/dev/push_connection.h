// A subscriber's WebSocket.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <deque>
#include <memory>
#include <string>

#include "adapters/http_server/http_server.h"
#include "dev/subscriber.h"

namespace sidecar::dev {

/// Used on the io thread only. Keeps itself alive while the socket is open.
class PushConnection final : public Subscriber::Wire, public std::enable_shared_from_this<PushConnection> {
 public:
  struct Limits {
    /// From the upgrade to connection_init.
    Millis init{3'000};
    /// Of messages that the peer has not taken yet. A peer that is slower is dropped.
    size_t queued_bytes_max = 16 << 20;
    /// Of one message of the peer.
    size_t message_bytes_max = 1 << 20;
  };

  PushConnection(boost::asio::ip::tcp::socket socket, Faults& faults, const Limits& limits);

  /// Answers the upgrade that `request` asks for, and goes on from there.
  void Accept(const ServerRequest& request);

  /// True while subscriptions can be served: not while closing or silent.
  bool open() const { return state_ == State::kOpen; }
  Subscriber& subscriber() { return subscriber_; }

  void Send(std::string message) override;
  void Close(uint16_t code, std::string reason) override;
  void FallSilent() override;

 private:
  enum class State : uint8_t { kHandshake, kOpen, kClosing, kSilent };
  using WebSocket = boost::beast::websocket::stream<boost::beast::tcp_stream>;

  void Read();
  void Write();
  void Discard();
  void Drop();

  const Limits limits_;
  WebSocket socket_;
  boost::asio::steady_timer init_timer_;
  boost::beast::flat_buffer incoming_;
  std::deque<std::string> outgoing_;  // the first is being written
  size_t outgoing_bytes_ = 0;
  State state_ = State::kHandshake;
  Subscriber subscriber_;
};

}  // namespace sidecar::dev
