#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "adapters/redis/redis_link.h"
#include "core/metrics.h"
#include "ports/clock.h"
#include "ports/random.h"
#include "ports/timers.h"

namespace sidecar {

struct RedisClientSettings {
  Millis connect_timeout{1'000};  ///< of one attempt, from the look-up to the first answer
  Millis reconnect_min{100};      ///< doubling from there, jittered down to a half
  Millis reconnect_max{5'000};
  Millis refused_retry{15'000};  ///< after a refusal that only a person can mend
  int failures_to_suspend = 5;   ///< time-outs in a row, over at least so long:
  Millis suspend_after{200};     ///< a pause of Redis times out all that wait for it at once
  Millis poll_interval{1'000};
  Millis silence_max{5'000};          ///< unanswered for so long: the connection is dead
  Millis readonly_reconnect{10'000};  ///< a replica in the place of the master is left once in this time
  size_t outstanding_max = 10'000;
};

/// A connection to Redis that is always there again: commands with a time limit, reconnects,
/// a breaker. Nothing waits for Redis to be there: without it a command fails at once.
///
/// "Up" is connected and answering: after a few time-outs in a row the client is down, though
/// connected, until a poll is answered in time. Call and up() from any thread; everything is
/// called back on the thread of the io_context, which must also run the timers.
class RedisClient : private RedisLinkEvents {
 public:
  using Done = RedisLink::Done;
  using MakeSettings = std::function<RedisLinkSettings()>;  ///< asked for each connection

  struct Hooks {
    std::function<void()> on_up;
    std::function<void()> on_down;
    std::function<void(const RedisReply&)> on_push;
    /// Every poll_interval while connected; `done` must be called when its commands are answered:
    /// it shows that Redis answers in time.
    std::function<void(absl::AnyInvocable<void(bool) &&> done)> poll;
    /// An attempt to connect has failed. May be empty.
    std::function<void()> on_failed_attempt = nullptr;
  };

  struct Tools {
    boost::asio::io_context& io;
    Clock& clock;
    Timers& timers;
    Random& random;
    Metrics& metrics;
  };

  /// `name`: for the log. `up_gauge`: 1 while it is up; may be nullptr.
  RedisClient(std::string name, const Tools& tools, MakeSettings make_link, Gauge* up_gauge,
              const RedisClientSettings& settings)
      : name_(std::move(name)),
        tools_(tools),
        make_link_(std::move(make_link)),
        up_gauge_(up_gauge),
        settings_(settings) {}

  /// Once. `first_attempt` hears how the first one ended: OK, or why not.
  void Start(Hooks hooks, absl::AnyInvocable<void(absl::Status) &&> first_attempt);

  bool up() const { return up_.load(std::memory_order_relaxed); }

  /// For /status. Any thread.
  struct Status {
    bool up = false;
    std::optional<WallTime> since;  ///< of this state; nullopt: from the start
    std::string last_error;         ///< printable, never a secret; empty: none so far
    std::optional<WallTime> last_error_at;
  };
  Status status() const;

  /// Sends the command, behind all that were sent before; `done` gets the reply, an error
  /// reply of Redis' as UNAVAILABLE, or DEADLINE_EXCEEDED at `deadline`.
  void Call(RedisCommand command, MonoTime deadline, Done done);

  /// Messages of the channel arrive as pushes. On the client's thread; forgotten when the
  /// connection ends.
  void Subscribe(const std::string& channel);
  void Unsubscribe(const std::string& channel);

  /// Leaves the connection, or the wait for the next attempt, and connects at once. On the
  /// client's thread.
  void Reconnect(const absl::Status& why);

  /// Runs `fn` on the client's thread, in order with Call.
  void Post(absl::AnyInvocable<void() &&> fn);

 private:
  void OnLinkReady() override;
  void OnLinkPush(RedisReply push) override;
  void OnLinkDown(const absl::Status& why) override;

  void Connect();
  void ConnectAgain(const absl::Status& why);
  void Send(const RedisCommand& command, MonoTime deadline, Done done);
  void Answered(const absl::StatusOr<RedisReply>& reply);
  void NoteErrorReply(const std::string& error);
  void NoteTimeout();
  void SetUp(bool up);
  void Poll();
  void Drop(const absl::Status& why);
  void FirstAttemptEnded(const absl::Status& status);
  void NoteError(std::string_view why);

  const std::string name_;
  const Tools tools_;
  const MakeSettings make_link_;
  Gauge* const up_gauge_;
  const RedisClientSettings settings_;
  std::atomic<bool> up_{false};
  mutable absl::Mutex mu_;
  Status status_ ABSL_GUARDED_BY(mu_);

  // The io_context's thread only.
  Hooks hooks_;
  absl::AnyInvocable<void(absl::Status) &&> first_attempt_;
  std::shared_ptr<RedisLink> link_;
  bool ready_ = false;
  bool said_down_ = false;
  int attempts_ = 0;
  int timeouts_ = 0;
  MonoTime first_timeout_{};
  MonoTime ready_since_{};
  MonoTime heard_at_{};
  Timers::Id timer_ = Timers::kNone;  // of connecting, of the next attempt, or of the next poll
};

}  // namespace sidecar
