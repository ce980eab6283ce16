#include "adapters/feed/graphql_feed.h"

#include <spdlog/spdlog.h>

#include <utility>
#include <variant>

#include "text/text.h"

namespace sidecar {

GraphqlFeed::~GraphqlFeed() {
  Cancel(connect_timer_);
  Cancel(probe_timer_);
}

void GraphqlFeed::Start(ChangeSink& sink) {
  Post([this, &sink] {
    stopped_ = false;
    sink_ = &sink;
    Connect();
  });
}

void GraphqlFeed::Stop(absl::AnyInvocable<void() &&> done) {
  Post([this, done = std::move(done)]() mutable { BeginStop(std::move(done)); });
}

void GraphqlFeed::KeyChanged() {
  Post([this] {
    if (connect_timer_ == Timers::kNone || waiting_for_ != FeedEndCause::kInvalidKey) return;
    Cancel(connect_timer_);
    ConnectAgain(waiting_for_, Millis(0));
  });
}

void GraphqlFeed::Connect() {
  Enter(FeedStatus::State::kConnecting);
  const Generation generation = generation_.Preferred(tools_.clock.Now());
  {
    absl::MutexLock lock(&mu_);
    status_.generation = generation;
    status_.interrupted_subscriptions = 0;
  }
  key_used_ = api_key_();
  FeedSession::Owner& owner = *this;
  session_ = std::make_unique<FeedSession>(tools_, generation, owner);
  session_->Start(connector_, url_, ConnectionInitMessage(identity_, key_used_));
}

void GraphqlFeed::OnSessionLive() {
  live_since_ = tools_.clock.Now();
  told_live_ = true;
  Enter(FeedStatus::State::kLive);
  ScheduleProbe();
  spdlog::info("WebSocket: live");
  sink_->OnLive();
}

void GraphqlFeed::OnSessionPush(Push push) {
  const bool shaped_by_generation = std::holds_alternative<ListPush>(push) || std::holds_alternative<UsagePush>(push);
  if (shaped_by_generation && session_->generation() == Generation::kV2) {
    generation_.Settle(Generation::kV2, tools_.clock.Now());
  }
  sink_->OnPush(std::move(push));
}

void GraphqlFeed::OnSessionMessage(FeedMessage type) {
  absl::MutexLock lock(&mu_);
  ++status_.messages[static_cast<size_t>(type)];
}

bool GraphqlFeed::OnSubscriptionFailed(Subscription subscription, const SubscriptionFailure& failure) {
  const std::string_view name = OperationOf(subscription, session_->generation()).name;
  NoteError(StrCat("subscription ", name, ": ", failure.message));
  // Only an operation that the other generation has in another form tells anything of it.
  const bool differs = subscription == Subscription::kEntitlements || subscription == Subscription::kUsage;
  if (failure.document_rejected && differs && session_->generation() == Generation::kV2 && generation_.MaySwitch()) {
    generation_.Settle(Generation::kV1, tools_.clock.Now());
    session_->Close(FeedEndCause::kGeneration, StrCat("the server does not know ", name));
    return true;
  }
  spdlog::info("WebSocket: the subscription {} failed and is sent again: {}", name, failure.message);
  return false;
}

void GraphqlFeed::OnInterrupted(size_t subscriptions) {
  absl::MutexLock lock(&mu_);
  status_.interrupted_subscriptions = subscriptions;
}

void GraphqlFeed::OnSessionEnded(FeedEndCause cause, std::string why) {
  // It is in the middle of its own code: it goes when that has returned.
  Post([gone = std::move(session_)]() mutable { gone.reset(); });
  Cancel(probe_timer_);
  if (stopped_) return Stopped();
  const bool was_live = std::exchange(told_live_, false);
  if (was_live && tools_.clock.Now() - live_since_ >= ReconnectDelay::kStable) delay_.Reset();
  NoteError(why);
  const Millis delay = DelayAfter(cause);
  if (cause == FeedEndCause::kInvalidKey) {
    spdlog::error("WebSocket: {}: check SERVER_API_KEY; asking again in {} ms", why, delay.count());
  } else if (was_live) {
    spdlog::warn("WebSocket: {}; connecting again in {} ms", why, delay.count());
  } else {
    spdlog::info("WebSocket: {}; connecting again in {} ms", why, delay.count());
  }
  ConnectAgain(cause, delay);
  if (was_live) sink_->OnLost();
}

Millis GraphqlFeed::DelayAfter(FeedEndCause cause) {
  switch (cause) {
    case FeedEndCause::kInvalidKey:
      tools_.metrics.invalid_api_key_errors.Add();
      // The key may have changed while the old one was on its way.
      return api_key_() == key_used_ ? kKeyRetryEvery : Millis(0);
    case FeedEndCause::kGeneration:
      return Millis(0);  // once an hour at most: the choice is kept that long
    default:
      return delay_.Next();
  }
}

void GraphqlFeed::ConnectAgain(FeedEndCause cause, Millis after) {
  Enter(FeedStatus::State::kWaiting);
  waiting_for_ = cause;
  connect_timer_ = tools_.timers.At(tools_.clock.Now() + after, [this, cause] {
    connect_timer_ = Timers::kNone;
    {
      absl::MutexLock lock(&mu_);
      ++status_.reconnects[static_cast<size_t>(cause)];
    }
    Connect();
  });
}

void GraphqlFeed::ScheduleProbe() {
  if (session_->generation() == Generation::kV2 || !generation_.MaySwitch()) return;
  probe_timer_ = tools_.timers.At(tools_.clock.Now() + GenerationChoice::kProbeEvery, [this] {
    probe_timer_ = Timers::kNone;
    Probe();
  });
}

void GraphqlFeed::Probe() {
  session_->Probe(OperationOf(Subscription::kUsage, Generation::kV2), [this](bool known) {
    generation_.Settle(known ? Generation::kV2 : Generation::kV1, tools_.clock.Now());
    if (known) return session_->Close(FeedEndCause::kGeneration, "the server knows generation V2 now");
    ScheduleProbe();
  });
}

void GraphqlFeed::BeginStop(absl::AnyInvocable<void() &&> done) {
  stop_done_.push_back(std::move(done));
  stopped_ = true;
  told_live_ = false;
  Cancel(connect_timer_);
  Cancel(probe_timer_);
  if (session_ == nullptr) return Stopped();
  session_->Close(FeedEndCause::kClosed, "stopped");
}

void GraphqlFeed::Stopped() {
  Enter(FeedStatus::State::kStopped);
  for (auto& done : std::exchange(stop_done_, {})) std::move(done)();
}

void GraphqlFeed::Post(absl::AnyInvocable<void() &&> fn) {
  tools_.timers.At(tools_.clock.Now(), [alive = std::weak_ptr<int>(alive_), fn = std::move(fn)]() mutable {
    if (!alive.expired()) std::move(fn)();
  });
}

void GraphqlFeed::Cancel(Timers::Id& timer) {
  if (timer != Timers::kNone) tools_.timers.Cancel(timer);
  timer = Timers::kNone;
}

void GraphqlFeed::Enter(FeedStatus::State state) {
  absl::MutexLock lock(&mu_);
  status_.state = state;
  status_.since = tools_.clock.WallNow();
}

void GraphqlFeed::NoteError(const std::string& why) {
  absl::MutexLock lock(&mu_);
  status_.last_error = why;
  status_.last_error_at = tools_.clock.WallNow();
}

FeedStatus GraphqlFeed::status() const {
  absl::MutexLock lock(&mu_);
  return status_;
}

}  // namespace sidecar
