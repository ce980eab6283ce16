#include "adapters/redis/redis_leader.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "adapters/redis/redis_scripts.h"
#include "ids/new_id.h"

namespace sidecar {

void RedisLeader::Start() {
  parts_.client.Post([this] { Tick(); });
}

void RedisLeader::Tick() {
  if (stopped_) return;
  const Millis spread{static_cast<int64_t>(500 * parts_.random.Uniform())};
  parts_.timers.At(parts_.clock.Now() + kRenewEvery + spread, [this] { Tick(); });
  if (!parts_.client.up()) return;
  if (leads()) {
    Renew();
    if (feed_live_ && epoch_due_) BeginEpoch();
  } else {
    Apply();
  }
}

void RedisLeader::Apply() {
  if (parts_.clock.Now() < apply_from_) return;
  std::string token = NewUuid();
  RedisCommand command{"SET", parts_.writer.keys().Leader(), token, "NX", "PX", std::to_string(kLease.count())};
  parts_.client.Call(std::move(command), parts_.clock.Now() + kRenewEvery,
                     [this, token](const absl::StatusOr<RedisReply>& reply) {
                       if (!reply.ok() || reply->type == RedisReply::Type::kNil || leads() || stopped_) return;
                       token_ = token;
                       BecomeLeader();
                     });
}

void RedisLeader::Renew() {
  parts_.client.Call(redis_scripts::Run(redis_scripts::kRenew, {parts_.writer.keys().Leader()},
                                        {token_, std::to_string(kLease.count())}),
                     parts_.clock.Now() + kRenewEvery, [this](const absl::StatusOr<RedisReply>& reply) {
                       if (reply.ok() && reply->text == "NOTLEADER" && leads()) StepDown();
                     });
}

void RedisLeader::BecomeLeader() {
  spdlog::info("Redis: this process leads: it holds the change feed and writes what it says");
  ++term_;
  leads_ = true;
  if (!feed_stopping_) StartFeed();
}

void RedisLeader::StartFeed() { parts_.feed.Start(*this); }

void RedisLeader::StepDown() {
  spdlog::info("Redis: another process leads");
  ++term_;
  leads_ = false;
  feed_live_ = false;
  parts_.timers.Cancel(heartbeat_);
  parts_.cover.OnOwnFeed(false);
  feed_stopping_ = true;
  parts_.feed.Stop([this] {
    parts_.client.Post([this] {
      feed_stopping_ = false;
      if (leads() && !stopped_) StartFeed();
    });
  });
  if (!stopped_) Apply();  // the lease may have run out, and nobody taken it
}

void RedisLeader::Stop(absl::AnyInvocable<void() &&> done) {
  parts_.client.Post([this, done = std::move(done)]() mutable {
    stopped_ = true;
    parts_.timers.Cancel(heartbeat_);
    if (leads_.exchange(false)) {
      ++term_;
      parts_.writer.DeleteNow({parts_.writer.keys().Feed(), parts_.writer.keys().Leader()}, token_);
    }
    parts_.feed.Stop(std::move(done));
  });
}

void RedisLeader::WhileLeading(absl::AnyInvocable<void() &&> fn) {
  parts_.client.Post([this, term = term_.load(), fn = std::move(fn)]() mutable {
    if (leads() && term == term_) std::move(fn)();
  });
}

void RedisLeader::OnLive() {
  WhileLeading([this] {
    feed_live_ = true;
    parts_.cover.OnOwnFeed(true);
    BeginEpoch();
    Heartbeat();
  });
}

void RedisLeader::NoteEpochDue() {
  epoch_due_ = true;
  parts_.cover.OnOwnEpoch(false);
}

/// Every replica takes what was fetched before for doubtful.
void RedisLeader::BeginEpoch() {
  NoteEpochDue();
  if (std::exchange(epoch_under_way_, true)) return;
  epoch_due_ = false;
  parts_.writer.StampTime(parts_.writer.keys().Epoch(), Millis(0), token_,
                          [this, term = term_.load()](const absl::StatusOr<RedisReply>& reply) {
                            epoch_under_way_ = false;
                            if (!reply.ok()) epoch_due_ = true;  // again when Redis is up, or at the next tick
                            if (reply.ok() && reply->text == "NOTLEADER") {
                              if (leads() && term == term_) StepDown();
                              return;
                            }
                            if (epoch_due_ || !leads() || term != term_ || !feed_live_) return;
                            parts_.cover.OnOwnEpoch(true);
                            SayFeedLives();
                          });
}

void RedisLeader::OnUp() {
  if (leads() && feed_live_ && epoch_due_) BeginEpoch();
}

void RedisLeader::OnNewMaster() {
  // Whoever leads, by a lease that did not reach this master, has stopped by then.
  apply_from_ = parts_.clock.Now() + kLease;
  if (!leads()) return;
  Renew();
  if (feed_live_) BeginEpoch();  // the last pushes may be lost
}

void RedisLeader::OnLost() {
  WhileLeading([this] {
    feed_live_ = false;
    parts_.timers.Cancel(heartbeat_);
    parts_.cover.OnOwnFeed(false);
    parts_.writer.DeleteNow({parts_.writer.keys().Feed()}, token_);
  });
}

void RedisLeader::OnPush(Push push) {
  WhileLeading([this, push = std::move(push)]() mutable {
    parts_.writer.Apply(push, token_);
    parts_.intake.OnPush(std::move(push));
  });
}

void RedisLeader::Heartbeat() {
  heartbeat_ = parts_.timers.At(parts_.clock.Now() + kFeedEvery, [this] {
    if (!feed_live_ || !leads()) return;
    SayFeedLives();
    Heartbeat();
  });
}

void RedisLeader::SayFeedLives() {
  if (epoch_due_ || epoch_under_way_) return;
  parts_.writer.StampTime(parts_.writer.keys().Feed(), kFeedLives, token_,
                          [this, term = term_.load()](const absl::StatusOr<RedisReply>& reply) {
                            if (reply.ok() && reply->text == "NOTLEADER" && leads() && term == term_) StepDown();
                          });
}

}  // namespace sidecar
