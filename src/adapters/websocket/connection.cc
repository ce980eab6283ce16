#include "adapters/websocket/connection.h"

#include <spdlog/spdlog.h>

#include <boost/asio/post.hpp>
#include <exception>
#include <utility>

#include "text/text.h"

namespace sidecar {

namespace asio = boost::asio;

/// A close frame holds 125 bytes, two of which are the code (RFC 6455, 5.5).
static constexpr size_t kReasonBytesMax = 123;

void Connection::Start() {
  ArmLimit(options_.limits.connect, "the connection did not open");
  dialer_ = std::make_shared<Dialer>(context_, options_.endpoint, options_.proxy);
  dialer_->Start([weak = weak_from_this()](absl::StatusOr<Socket> socket) {
    const auto self = weak.lock();
    if (self == nullptr || self->ended_) return;
    if (!socket.ok()) return self->Fail(socket.status());
    self->Handshake(*std::move(socket));
  });
}

void Connection::StartFailed(const absl::Status& why) {
  asio::post(context_, [self = shared_from_this(), why] { self->Fail(why); });
}

void Connection::ArmLimit(Millis after, const char* what) {
  limit_.expires_after(after);
  limit_.async_wait([weak = weak_from_this(), after, what](const boost::system::error_code& error) {
    const auto self = weak.lock();
    // A cancelled wait may have been queued already: only one that is still due counts.
    if (error || self == nullptr || self->limit_what_ != what) return;
    self->Fail(Error(absl::StatusCode::kDeadlineExceeded, what, " within ", after.count(), " ms"));
  });
  limit_what_ = what;
}

void Connection::Opened() {
  if (ended_) return;
  limit_.cancel();
  limit_what_ = nullptr;
  dialer_.reset();
  opened_ = true;
  Tell([](WebSocketEvents& events) { events.OnOpened(); });
}

void Connection::Received(std::string_view message) {
  if (closing_) return;
  Tell([message](WebSocketEvents& events) { events.OnMessage(message); });
}

void Connection::Send(std::string text) {
  if (!opened_ || closing_ || ended_) return;
  const WebSocketLimits& limits = options_.limits;
  queued_bytes_ += text.size();
  queue_.push_back(std::move(text));
  if (queued_bytes_ > limits.queued_bytes_max || queue_.size() > limits.queued_messages_max) {
    // Later: the owner is in the middle of something.
    return StartFailed(absl::ResourceExhaustedError("the peer does not read what is sent"));
  }
  if (queue_.size() == 1) WriteNext();
}

void Connection::WriteNext() { WriteMessage(queue_.front()); }

void Connection::Wrote() {
  if (ended_) return;
  queued_bytes_ -= queue_.front().size();
  queue_.pop_front();
  if (!queue_.empty()) return WriteNext();
  if (closing_) WriteClose(close_code_, close_reason_);
}

void Connection::WriteFailed() {
  // The read that is under way most often knows more, a close frame with its reason above all.
  if (!closing_) ArmLimit(options_.limits.close, "a message could not be sent, and nothing more came");
  closing_ = true;
}

void Connection::Close(uint16_t code, std::string_view reason) {
  if (ended_ || closing_) return;
  closing_ = true;
  if (!opened_) return StartFailed(absl::CancelledError("closed before the connection was open"));
  close_code_ = code;
  close_reason_ = reason.substr(0, kReasonBytesMax);
  ArmLimit(options_.limits.close, "the peer did not answer the close frame");
  if (queue_.empty()) WriteClose(close_code_, close_reason_);
}

void Connection::Abandon() {
  events_ = nullptr;
  End();
}

void Connection::Closed(uint16_t code, std::string_view reason) {
  if (!End()) return;
  Tell([&](WebSocketEvents& events) { events.OnClosed(code, reason); });
}

void Connection::Fail(const absl::Status& why) {
  if (!End()) return;
  Tell([&](WebSocketEvents& events) { events.OnFailed(why); });
}

bool Connection::End() {
  if (ended_) return false;
  ended_ = true;
  limit_.cancel();
  if (dialer_ != nullptr) dialer_->Cancel();
  dialer_.reset();
  Drop();
  return true;
}

void Connection::Tell(absl::FunctionRef<void(WebSocketEvents&)> event) {
  if (events_ == nullptr) return;
  try {
    event(*events_);
  } catch (const std::exception& error) {
    spdlog::error("the owner of a WebSocket failed: {}", error.what());
    Fail(absl::InternalError("the owner failed"));
  }
}

}  // namespace sidecar
