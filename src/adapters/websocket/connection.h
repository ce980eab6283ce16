// What plain and TLS connections have in common: limits, the write queue, one end.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "adapters/websocket/beast_connector.h"
#include "adapters/websocket/dialer.h"
#include "adapters/websocket/endpoint.h"
#include "adapters/websocket/websocket.h"

namespace sidecar {

/// One connection on its way through dialling, handshakes, messages and close. The operations
/// under way keep it alive; Abandon ends them all. I/O thread only.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  struct Options {
    WebSocketEndpoint endpoint;
    std::optional<HttpProxy> proxy;
    std::string subprotocol;
    std::string user_agent;
    std::string extra_ca_file;
    WebSocketLimits limits;
  };

  Connection(boost::asio::io_context& context, Options options, WebSocketEvents& events)
      : options_(std::move(options)), context_(context), events_(&events), limit_(context) {}
  virtual ~Connection() = default;

  void Start();
  /// Instead of Start: fails as soon as the caller has returned.
  void StartFailed(const absl::Status& why);
  void Send(std::string text);
  void Close(uint16_t code, std::string_view reason);
  /// No event any more; the socket is closed at once.
  void Abandon();

 protected:
  using Socket = boost::asio::ip::tcp::socket;

  // The stream's part. Each is followed by one call of what is named, later.
  virtual void Handshake(Socket socket) = 0;                       // Opened or Fail
  virtual void WriteMessage(const std::string& text) = 0;          // Wrote or WriteFailed
  virtual void WriteClose(uint16_t code, const std::string&) = 0;  // Closed or Fail
  virtual void Drop() = 0;                                         // closes the socket

  void Opened();
  void Received(std::string_view message);
  void Wrote();
  void WriteFailed();
  void Closed(uint16_t code, std::string_view reason);
  void Fail(const absl::Status& why);

  bool ended() const { return ended_; }
  bool opened() const { return opened_; }

  const Options options_;
  boost::asio::io_context& context_;

 private:
  void ArmLimit(Millis after, const char* what);
  void WriteNext();
  /// The end: drops the connection, then tells. True the first time.
  bool End();
  /// Calls the owner, if there still is one. An exception of its ends the connection.
  void Tell(absl::FunctionRef<void(WebSocketEvents&)> event);

  WebSocketEvents* events_;  // nullptr: abandoned
  boost::asio::steady_timer limit_;
  const char* limit_what_ = nullptr;  // what the armed limit is for
  std::shared_ptr<Dialer> dialer_;
  std::deque<std::string> queue_;  // the front is being written
  size_t queued_bytes_ = 0;
  bool opened_ = false;
  bool ended_ = false;
  bool closing_ = false;
  uint16_t close_code_ = 0;
  std::string close_reason_;
};

}  // namespace sidecar
