#include "dev/push_connection.h"

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/websocket.hpp>
#include <utility>

#include "text/text.h"

namespace sidecar::dev {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;

namespace {

constexpr char kProtocol[] = "graphql-transport-ws";
constexpr std::chrono::seconds kHandshakeMax{10};  // also how long a close waits for the peer's

bool OffersProtocol(const ServerRequest& request) {
  for (const auto& [name, value] : request.headers) {
    if (!EqualsIgnoreCase(name, "Sec-WebSocket-Protocol")) continue;
    for (const std::string_view offered : Split(value, ',')) {
      if (StripWhitespace(offered) == kProtocol) return true;
    }
  }
  return false;
}

}  // namespace

PushConnection::PushConnection(asio::ip::tcp::socket socket, Faults& faults, const Limits& limits)
    : limits_(limits), socket_(std::move(socket)), init_timer_(socket_.get_executor()), subscriber_(*this, faults) {}

void PushConnection::Accept(const ServerRequest& request) {
  http::request<http::empty_body> upgrade(http::verb::get, request.path, 11);
  for (const auto& [name, value] : request.headers) upgrade.insert(name, value);
  const bool offered = OffersProtocol(request);
  socket_.set_option(websocket::stream_base::decorator([offered](websocket::response_type& response) {
    if (offered) response.set(http::field::sec_websocket_protocol, kProtocol);
  }));
  socket_.set_option(websocket::stream_base::timeout{kHandshakeMax, websocket::stream_base::none(), false});
  socket_.read_message_max(limits_.message_bytes_max);
  socket_.text(true);
  socket_.async_accept(upgrade, [self = shared_from_this(), offered](beast::error_code error) {
    if (error) return;
    self->state_ = State::kOpen;
    if (!offered) self->Close(static_cast<uint16_t>(CloseCode::kSubprotocol), "Subprotocol not acceptable");
    if (!self->open()) return;
    self->Read();
    self->init_timer_.expires_after(self->limits_.init);
    self->init_timer_.async_wait([weak = self->weak_from_this()](beast::error_code cancelled) {
      const auto still_there = weak.lock();
      if (!cancelled && still_there != nullptr && still_there->open()) still_there->subscriber_.OnInitTimeout();
    });
  });
}

void PushConnection::Read() {
  socket_.async_read(incoming_, [self = shared_from_this()](beast::error_code error, size_t) {
    if (self->state_ == State::kSilent) return self->Discard();
    if (error) {  // gone, or a close frame was answered
      self->state_ = State::kClosing;
      return;
    }
    const auto bytes = self->incoming_.cdata();
    if (self->open()) self->subscriber_.OnMessage({static_cast<const char*>(bytes.data()), bytes.size()});
    self->incoming_.consume(bytes.size());
    if (self->state_ == State::kSilent) return self->Discard();
    if (self->open()) self->Read();  // a close reads by itself
  });
}

void PushConnection::Send(std::string message) {
  if (!open()) return;
  if (outgoing_bytes_ + message.size() > limits_.queued_bytes_max) return Drop();
  outgoing_bytes_ += message.size();
  outgoing_.push_back(std::move(message));
  if (outgoing_.size() == 1) Write();
}

void PushConnection::Write() {
  socket_.async_write(asio::buffer(outgoing_.front()), [self = shared_from_this()](beast::error_code error, size_t) {
    self->outgoing_bytes_ -= self->outgoing_.front().size();
    self->outgoing_.pop_front();
    if (!error && self->open() && !self->outgoing_.empty()) self->Write();
  });
}

void PushConnection::Close(uint16_t code, std::string reason) {
  if (!open()) return;
  state_ = State::kClosing;
  socket_.async_close(websocket::close_reason(static_cast<websocket::close_code>(code), reason),
                      [self = shared_from_this()](beast::error_code) {});
}

void PushConnection::FallSilent() {
  if (!open()) return;
  state_ = State::kSilent;
  // The read under way ends here, and then Discard takes over: the WebSocket would answer pings
  // and closes by itself.
  beast::get_lowest_layer(socket_).cancel();
}

void PushConnection::Discard() {
  auto& stream = beast::get_lowest_layer(socket_);
  stream.expires_never();
  incoming_.clear();
  stream.async_read_some(incoming_.prepare(4096), [self = shared_from_this()](beast::error_code error, size_t) {
    if (!error) self->Discard();
  });
}

void PushConnection::Drop() {
  state_ = State::kClosing;
  beast::get_lowest_layer(socket_).close();
}

}  // namespace sidecar::dev
