#include "adapters/feed/feed_session.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "ids/new_id.h"
#include "text/text.h"

namespace sidecar {
namespace {

/// The reason of a close by which the server refuses the API key (docs/protocol.md section 3.4).
constexpr std::string_view kInvalidKeyReason = "Invalid API key";

constexpr uint16_t kNormalClosure = 1000;

/// In the order of docs/protocol.md section 3.1.
std::vector<Subscription> SubscriptionsOf(Generation generation) {
  using enum Subscription;
  if (generation == Generation::kV2) return {kEntitlements, kUsage, kPackage};
  return {kEntitlements, kUsage, kPackage, kBalance};
}

}  // namespace

FeedSession::~FeedSession() {
  ended_ = true;
  CancelTimers();
}

void FeedSession::Start(WebSocketConnector& connector, const std::string& url, std::string init) {
  init_ = std::move(init);
  socket_ = connector.Connect(url, std::string(kSubprotocol), *this);
}

void FeedSession::Close(FeedEndCause cause, std::string why) {
  if (ended_ || closing_.has_value()) return;
  closing_ = cause;
  closing_why_ = std::move(why);
  live_ = false;
  for (const Slot& slot : slots_) {
    if (!slot.id.empty()) socket_->Send(CompleteMessage(slot.id));
  }
  if (!probe_id_.empty()) socket_->Send(CompleteMessage(probe_id_));
  CancelTimers();
  socket_->Close(kNormalClosure, "Normal Closure");
}

void FeedSession::OnOpened() {
  opened_ = true;
  if (closing_.has_value()) return;
  socket_->Send(std::move(init_));
  init_.clear();
  ack_timer_ = After(kAckLimit, [this] { End(FeedEndCause::kNoAck, "the server did not acknowledge the connection"); });
  SchedulePing();
}

void FeedSession::OnMessage(std::string_view text) {
  if (ended_ || closing_.has_value()) return;
  absl::StatusOr<ServerMessage> message = ParseServerMessage(text);
  owner_.OnSessionMessage(message.ok() ? message->type : FeedMessage::kOther);
  if (!message.ok()) return Malformed(Message(message.status()));
  switch (message->type) {
    case FeedMessage::kAck:
      return OnAck();
    case FeedMessage::kPing:
      return socket_->Send(PongMessage());
    case FeedMessage::kPong:
      return OnPong();
    case FeedMessage::kNext:
      return OnNext(*message);
    case FeedMessage::kError:
      return OnFailedSubscription(message->id, ReadErrors(message->payload));
    case FeedMessage::kComplete:
      return OnFailedSubscription(message->id, {.message = "completed by the server"});
    case FeedMessage::kOther:
      return;
  }
}

void FeedSession::OnClosed(uint16_t code, std::string_view reason) {
  if (reason == kInvalidKeyReason) return End(FeedEndCause::kInvalidKey, "the server rejects the API key");
  End(FeedEndCause::kClosed, StrCat("closed by the server: ", code, " ", Printable(reason)));
}

void FeedSession::OnFailed(const absl::Status& why) {
  End(opened_ ? FeedEndCause::kLost : FeedEndCause::kConnect, Printable(Message(why)));
}

void FeedSession::OnAck() {
  if (live_) return;
  live_ = true;
  Cancel(ack_timer_);
  for (const Subscription subscription : SubscriptionsOf(generation_)) {
    slots_.push_back({.subscription = subscription});
    Subscribe(slots_.back());
  }
  owner_.OnSessionLive();
}

void FeedSession::Subscribe(Slot& slot) {
  slot.id = NewUuid();
  slot.sent_at = tools_.clock.Now();
  socket_->Send(SubscribeMessage(slot.id, OperationOf(slot.subscription, generation_)));
}

void FeedSession::OnNext(const ServerMessage& message) {
  if (!probe_id_.empty() && message.id == probe_id_) return ProbeEnded(/*known=*/true);
  const auto slot = std::ranges::find(slots_, message.id, &Slot::id);
  // A subscription that was given up may still have had messages on their way.
  if (slot == slots_.end()) return;
  if (!message.payload.is_object()) return Malformed("payload: expected an object");
  const auto errors = message.payload.find("errors");
  if (errors != message.payload.end() && errors->is_array() && !errors->empty()) {
    socket_->Send(CompleteMessage(message.id));
    return OnFailedSubscription(message.id, ReadErrors(*errors));
  }
  const auto data = message.payload.find("data");
  if (data == message.payload.end()) return Malformed("payload: no data");
  absl::StatusOr<DecodedPush> decoded = DecodePush(slot->subscription, generation_, *data);
  if (!decoded.ok()) {
    Malformed(Message(decoded.status()));
    if (std::optional<Push> doubt = DoubtOf(slot->subscription, *data)) owner_.OnSessionPush(*std::move(doubt));
    return;
  }
  tools_.metrics.skipped_entitlements.Add(decoded->skipped);
  if (decoded->push.has_value()) owner_.OnSessionPush(*std::move(decoded->push));
}

void FeedSession::OnFailedSubscription(const std::string& id, const SubscriptionFailure& failure) {
  if (!probe_id_.empty() && id == probe_id_) return ProbeEnded(/*known=*/false);
  const auto slot = std::ranges::find(slots_, id, &Slot::id);
  if (slot == slots_.end()) return;
  slot->id.clear();
  if (owner_.OnSubscriptionFailed(slot->subscription, failure)) return;
  const bool held = tools_.clock.Now() - slot->sent_at >= kResubscribeStable;
  slot->delay = held || slot->delay == Millis(0) ? kResubscribeMin : std::min(slot->delay * 2, kResubscribeMax);
  const Subscription subscription = slot->subscription;
  slot->timer = After(slot->delay, [this, subscription] { SubscribeAgain(subscription); });
  owner_.OnInterrupted(Interrupted());
}

void FeedSession::SubscribeAgain(Subscription subscription) {
  const auto slot = std::ranges::find(slots_, subscription, &Slot::subscription);
  slot->timer = Timers::kNone;
  Subscribe(*slot);
  owner_.OnInterrupted(Interrupted());
  owner_.OnSessionPush(CatalogPush{});
}

size_t FeedSession::Interrupted() const {
  return static_cast<size_t>(std::ranges::count_if(slots_, [](const Slot& slot) { return slot.id.empty(); }));
}

void FeedSession::SchedulePing() {
  ping_timer_ = After(kPingEvery, [this] {
    ping_timer_ = Timers::kNone;
    socket_->Send(PingMessage());
    pong_timer_ = After(kPongLimit, [this] { End(FeedEndCause::kNoPong, "the server did not answer a ping"); });
  });
}

void FeedSession::OnPong() {
  if (pong_timer_ == Timers::kNone) return;  // servers may send pongs that nobody asked for
  Cancel(pong_timer_);
  SchedulePing();
}

void FeedSession::Probe(const GraphqlOperation& operation, absl::AnyInvocable<void(bool known) &&> known) {
  if (!live_ || !probe_id_.empty()) return;
  probe_id_ = NewUuid();
  probe_known_ = std::move(known);
  socket_->Send(SubscribeMessage(probe_id_, operation));
  probe_timer_ = After(kProbeLimit, [this] { ProbeEnded(/*known=*/true); });
}

void FeedSession::ProbeEnded(bool known) {
  Cancel(probe_timer_);
  if (known) socket_->Send(CompleteMessage(probe_id_));
  probe_id_.clear();
  std::move(probe_known_)(known);
}

void FeedSession::Malformed(std::string_view why) {
  tools_.metrics.malformed_responses.Add();
  spdlog::debug("a message of the WebSocket cannot be used: {}", why);
}

void FeedSession::End(FeedEndCause cause, std::string why) {
  if (ended_) return;
  ended_ = true;
  live_ = false;
  CancelTimers();
  socket_.reset();
  if (closing_.has_value()) return owner_.OnSessionEnded(*closing_, std::move(closing_why_));
  owner_.OnSessionEnded(cause, std::move(why));
}

Timers::Id FeedSession::After(Millis delay, absl::AnyInvocable<void() &&> then) {
  return tools_.timers.At(tools_.clock.Now() + delay, std::move(then));
}

void FeedSession::Cancel(Timers::Id& timer) {
  if (timer != Timers::kNone) tools_.timers.Cancel(timer);
  timer = Timers::kNone;
}

void FeedSession::CancelTimers() {
  Cancel(ack_timer_);
  Cancel(ping_timer_);
  Cancel(pong_timer_);
  Cancel(probe_timer_);
  for (Slot& slot : slots_) Cancel(slot.timer);
}

}  // namespace sidecar
