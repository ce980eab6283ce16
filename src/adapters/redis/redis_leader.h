#pragma once

#include <atomic>
#include <string>

#include "absl/functional/any_invocable.h"
#include "adapters/redis/redis_client.h"
#include "adapters/redis/redis_cover.h"
#include "adapters/redis/redis_writer.h"
#include "ports/change_feed.h"
#include "ports/clock.h"
#include "ports/random.h"
#include "ports/timers.h"

namespace sidecar {

/// Of all processes with one prefix, one holds the change feed and writes what it says to Redis:
/// the one whose token stands in the leader's key. Every write of its compares the token, so one
/// that was paused and has been replaced writes nothing. Source: design section 8, docs/redis.md.
///
/// Start and Stop from any thread, once each; works on the client's thread.
class RedisLeader : private ChangeSink {
 public:
  static constexpr Millis kLease{10'000};
  static constexpr Millis kRenewEvery{3'000};
  /// How long the heartbeat says that the feed is live, and how often it is renewed.
  static constexpr Millis kFeedLives{6'000};
  static constexpr Millis kFeedEvery{2'000};

  struct Parts {
    RedisClient& client;
    RedisWriter& writer;
    RedisCover& cover;
    ChangeSink& intake;  ///< of this process' memory
    ChangeFeed& feed;
    Clock& clock;
    Timers& timers;  ///< of the client's thread
    Random& random;
  };

  explicit RedisLeader(const Parts& parts) : parts_(parts) {
    parts_.writer.OnLostPush([this] { NoteEpochDue(); });
  }

  void Start();
  /// Gives the lead away and ends the feed; `done` is called once both are under way and the
  /// feed has ended.
  void Stop(absl::AnyInvocable<void() &&> done);

  /// Redis answers again. On the client's thread.
  void OnUp();

  /// Another Redis is the master now: it may lack what was written last, this process' lease
  /// included. On the client's thread, once connected to it.
  void OnNewMaster();

  bool leads() const { return leads_.load(std::memory_order_relaxed); }

 private:
  // From the feed's thread.
  void OnLive() override;
  void OnLost() override;
  void OnPush(Push push) override;

  void Tick();
  void Renew();
  void Apply();
  void BecomeLeader();
  void StepDown();
  void StartFeed();
  void NoteEpochDue();
  void BeginEpoch();
  void Heartbeat();
  void SayFeedLives();
  /// Runs on the client's thread, unless this process has lost the lead by then.
  void WhileLeading(absl::AnyInvocable<void() &&> fn);

  const Parts parts_;
  std::atomic<bool> leads_{false};
  std::atomic<uint64_t> term_{0};  ///< one more with each change of the lead
  // The client's thread only.
  std::string token_;
  bool feed_live_ = false;
  bool feed_stopping_ = false;
  bool stopped_ = false;
  /// Redis may lack what was pushed: nobody is told that the feed lives until the epoch has begun anew.
  bool epoch_due_ = false;
  bool epoch_under_way_ = false;
  MonoTime apply_from_{};
  Timers::Id heartbeat_ = Timers::kNone;
};

}  // namespace sidecar
