// The Redis tier, put together: connections on a thread of their own, the store, the leader.
#pragma once

#include <functional>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "adapters/net/asio_timers.h"
#include "adapters/net/io_thread.h"
#include "adapters/redis/fetch_lock.h"
#include "adapters/redis/redis_client.h"
#include "adapters/redis/redis_cover.h"
#include "adapters/redis/redis_leader.h"
#include "adapters/redis/redis_sentinel.h"
#include "adapters/redis/redis_store.h"
#include "adapters/redis/redis_writer.h"
#include "config/config.h"

namespace sidecar {

/// Never destroyed once it was started, as the daemon is (docs/adr/0010).
class RedisWiring {
 public:
  struct Tools {
    Clock& clock;
    Random& random;
    Metrics& metrics;
  };
  /// What the tier works on; all must outlive it.
  struct Parts {
    ChangeSink& intake;
    /// Somebody has changed the record in Redis.
    std::function<void(EntityKeyView)> changed;
    ChangeFeed* feed;  ///< nullptr: this process never leads
  };

  /// nullptr: REDIS_ENVIRONMENT_PREFIX is not set.
  static std::unique_ptr<RedisWiring> Make(const Config& config, const Tools& tools);

  RedisWiring(const Config& config, const Tools& tools);

  SharedStore& store() { return store_; }
  bool up() const { return client_.up(); }
  RedisClient::Status status() const { return client_.status(); }
  bool leads() const { return leader_ != nullptr && leader_->leads(); }
  /// Somebody keeps Redis current.
  bool maintained() const { return cover_ != nullptr && cover_->maintained(); }

  /// Connects, and waits a moment for the outcome. INVALID_ARGUMENT: this Redis can never serve
  /// us (a cluster, or too old). Whatever else is wrong with it, the daemon serves without.
  absl::Status Start(const Parts& parts);

  /// Whether any key has the prefix, by a look at a part of them. `done` on the Redis thread.
  void LookForKeys(Millis timeout, absl::AnyInvocable<void(absl::StatusOr<bool>) &&> done);

  /// Gives the lead away and ends the feed; `done` is called once that is so.
  void Stop(absl::AnyInvocable<void() &&> done);

  /// As the vendor's engine waits for Redis at its start.
  static constexpr Millis kFirstAttempt{250};

 private:
  RedisClientSettings ClientSettings() const;
  RedisLinkSettings LinkSettings(bool tracks) const;
  RedisSentinel::Settings SentinelSettings() const;
  void Connect(absl::AnyInvocable<void(absl::Status) &&> first_attempt);
  void OnMaster(const RedisAddress& address);
  void OnUp();

  const RedisConfig config_;
  const Tools tools_;
  const RedisKeys keys_;
  IoThread io_;
  AsioTimers timers_;
  RedisClient client_;
  RedisClient subscriber_;
  FetchLocks locks_;
  RedisWriter writer_;
  RedisStore store_;
  std::unique_ptr<RedisCover> cover_;
  std::unique_ptr<RedisLeader> leader_;
  std::unique_ptr<RedisSentinel> sentinel_;  // nullptr: there are none

  // The Redis thread only.
  RedisAddress address_;
  bool connecting_ = false;
  bool new_master_ = false;
};

}  // namespace sidecar
