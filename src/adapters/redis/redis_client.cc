#include "adapters/redis/redis_client.h"

#include <spdlog/spdlog.h>

#include <boost/asio/post.hpp>
#include <utility>

#include "ports/backoff.h"
#include "text/text.h"

namespace sidecar {

void RedisClient::Start(Hooks hooks, absl::AnyInvocable<void(absl::Status) &&> first_attempt) {
  Post([this, hooks = std::move(hooks), first_attempt = std::move(first_attempt)]() mutable {
    hooks_ = std::move(hooks);
    first_attempt_ = std::move(first_attempt);
    Connect();
  });
}

void RedisClient::Post(absl::AnyInvocable<void() &&> fn) {
  boost::asio::post(tools_.io, [fn = std::move(fn)]() mutable { std::move(fn)(); });
}

void RedisClient::Connect() {
  RedisLinkEvents& events = *this;
  link_ = std::make_shared<RedisLink>(tools_.io, make_link_(), events);
  timer_ = tools_.timers.At(tools_.clock.Now() + settings_.connect_timeout, [this] {
    Drop(Unavailable("no connection within ", settings_.connect_timeout.count(), " ms"));
  });
  link_->Start();
}

void RedisClient::OnLinkReady() {
  tools_.timers.Cancel(timer_);
  ready_ = true;
  attempts_ = 0;
  timeouts_ = 0;
  ready_since_ = heard_at_ = tools_.clock.Now();
  spdlog::info("{}: connected", name_);
  said_down_ = false;
  SetUp(true);
  FirstAttemptEnded(absl::OkStatus());
  Poll();
}

void RedisClient::OnLinkPush(RedisReply push) {
  heard_at_ = tools_.clock.Now();
  if (ready_) hooks_.on_push(push);
}

void RedisClient::Drop(const absl::Status& why) {
  const std::shared_ptr<RedisLink> link = link_;
  OnLinkDown(why);
  if (link != nullptr) link->Close();
}

void RedisClient::OnLinkDown(const absl::Status& why) {
  if (link_ == nullptr) return;
  // It may be in the middle of its own code.
  Post([gone = std::exchange(link_, nullptr)]() mutable { gone.reset(); });
  tools_.timers.Cancel(timer_);
  const bool failed_attempt = !std::exchange(ready_, false);
  tools_.metrics.redis_client_errors.Add();
  SetUp(false);
  FirstAttemptEnded(why);
  ConnectAgain(why);
  if (failed_attempt && hooks_.on_failed_attempt) hooks_.on_failed_attempt();
}

void RedisClient::Reconnect(const absl::Status& why) {
  if (link_ != nullptr) Drop(why);
  tools_.timers.Cancel(timer_);
  attempts_ = 0;
  Connect();
}

RedisClient::Status RedisClient::status() const {
  absl::MutexLock lock(&mu_);
  return status_;
}

void RedisClient::NoteError(std::string_view why) {
  absl::MutexLock lock(&mu_);
  status_.last_error = why;
  status_.last_error_at = tools_.clock.WallNow();
}

void RedisClient::ConnectAgain(const absl::Status& why) {
  NoteError(Message(why));
  const bool refused = absl::IsFailedPrecondition(why) || absl::IsUnauthenticated(why);
  // Once for every time that it was there; what only a person can mend, each time.
  if (refused) {
    spdlog::error("{}: {}; serving without it, asking again in {} s", name_, Message(why),
                  settings_.refused_retry.count() / 1000);
  } else if (!std::exchange(said_down_, true)) {
    spdlog::warn("{}: {}; serving without it until it is back", name_, Message(why));
  }
  const Millis delay =
      refused ? settings_.refused_retry
              : JitteredBackoff(settings_.reconnect_min, settings_.reconnect_max, ++attempts_, tools_.random);
  timer_ = tools_.timers.At(tools_.clock.Now() + delay, [this] { Connect(); });
}

void RedisClient::FirstAttemptEnded(const absl::Status& status) {
  if (first_attempt_) std::exchange(first_attempt_, nullptr)(status);
}

void RedisClient::SetUp(bool up) {
  if (up_.exchange(up) == up) return;
  {
    absl::MutexLock lock(&mu_);
    status_.up = up;
    status_.since = tools_.clock.WallNow();
  }
  if (up_gauge_ != nullptr) up_gauge_->Set(up ? 1 : 0);
  if (up) {
    hooks_.on_up();
  } else {
    hooks_.on_down();
  }
}

void RedisClient::Call(RedisCommand command, MonoTime deadline, Done done) {
  Post([this, command = std::move(command), deadline, done = std::move(done)]() mutable {
    Send(command, deadline, std::move(done));
  });
}

void RedisClient::Send(const RedisCommand& command, MonoTime deadline, Done done) {
  if (!ready_) return std::move(done)(absl::UnavailableError("Redis is not connected"));
  if (link_->outstanding() >= settings_.outstanding_max) {
    tools_.metrics.redis_client_errors.Add();
    return std::move(done)(absl::ResourceExhaustedError("too many commands wait for Redis"));
  }
  // Whoever comes first, on this one thread: the reply or the time limit.
  struct Waiting {
    Done done;
    Timers::Id timer = Timers::kNone;
  };
  auto waiting = std::make_shared<Waiting>(Waiting{.done = std::move(done)});
  waiting->timer = tools_.timers.At(deadline, [this, waiting] {
    if (!waiting->done) return;
    NoteTimeout();
    std::exchange(waiting->done, nullptr)(absl::DeadlineExceededError("Redis did not answer in time"));
  });
  link_->Send(command, [this, waiting, began = tools_.clock.Stopwatch()](absl::StatusOr<RedisReply> reply) {
    if (reply.ok()) {
      heard_at_ = tools_.clock.Now();
      tools_.metrics.redis_commands.Observe(tools_.clock.Stopwatch() - began);
    }
    if (!waiting->done) return;
    tools_.timers.Cancel(waiting->timer);
    if (reply.ok()) timeouts_ = 0;
    if (reply.ok() && reply->is_error()) {
      const std::string error = reply->text;
      NoteErrorReply(error);
      return std::exchange(waiting->done, nullptr)(absl::UnavailableError(error));
    }
    std::exchange(waiting->done, nullptr)(std::move(reply));
  });
}

void RedisClient::Subscribe(const std::string& channel) {
  if (ready_) link_->SendWithoutReply({"SUBSCRIBE", channel});
}

void RedisClient::Unsubscribe(const std::string& channel) {
  if (ready_) link_->SendWithoutReply({"UNSUBSCRIBE", channel});
}

void RedisClient::NoteErrorReply(const std::string& error) {
  tools_.metrics.redis_client_errors.Add();
  const auto is = [&](std::string_view code) { return error.starts_with(code) || Contains(error, StrCat(" ", code)); };
  const bool not_ours = is("LOADING") || is("NOAUTH") || is("MASTERDOWN") || is("MOVED") || is("CLUSTERDOWN");
  // The name may point to the new master by now.
  const bool replica = is("READONLY") && tools_.clock.Now() - ready_since_ >= settings_.readonly_reconnect;
  if (!not_ours && !replica) {
    spdlog::debug("{}: {}", name_, error);
    return;
  }
  Post([this, error, link = link_] {
    if (link_ == link) Drop(Unavailable(error));
  });
}

void RedisClient::NoteTimeout() {
  tools_.metrics.redis_client_errors.Add();
  const MonoTime now = tools_.clock.Now();
  if (++timeouts_ == 1) first_timeout_ = now;
  if (!up() || timeouts_ < settings_.failures_to_suspend || now - first_timeout_ < settings_.suspend_after) return;
  NoteError("it does not answer in time");
  spdlog::warn("{}: it does not answer in time; serving without it until it does", name_);
  SetUp(false);
}

void RedisClient::Poll() {
  if (link_->outstanding() > 0 && tools_.clock.Now() - heard_at_ >= settings_.silence_max) {
    return Drop(Unavailable("no answer for ", settings_.silence_max.count(), " ms"));
  }
  timer_ = tools_.timers.At(tools_.clock.Now() + settings_.poll_interval, [this] { Poll(); });
  hooks_.poll([this, link = link_](bool in_time) {
    if (!in_time || link_ != link || !ready_ || up()) return;
    spdlog::info("{}: it answers in time again", name_);
    timeouts_ = 0;
    SetUp(true);
  });
}

}  // namespace sidecar
