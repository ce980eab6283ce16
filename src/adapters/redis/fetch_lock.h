#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "adapters/redis/redis_client.h"
#include "adapters/redis/redis_keys.h"

namespace sidecar {

/// The vendor's lock and channel by which one process fetches what many miss. An optimisation:
/// whoever does not get it waits a little, and fetches all the same.
/// Source: docs/protocol.md sections 7.6 and 7.7.
///
/// Acquire and Release from any thread; works on the clients' thread.
class FetchLocks {
 public:
  enum class Outcome : uint8_t {
    kMine,    ///< to be released; also when Redis cannot say
    kOthers,  ///< somebody else's fetch has ended, or taken too long
  };
  using Done = absl::AnyInvocable<void(Outcome) &&>;

  static constexpr Millis kLives{5'000};
  static constexpr Millis kWait{300};

  /// `subscriber` is a connection of its own: what is waited for arrives there. `timeout`: of a
  /// command that a caller waits for.
  FetchLocks(RedisClient& client, RedisClient& subscriber, RedisKeys keys, Clock& clock, Timers& timers, Millis timeout)
      : client_(client),
        subscriber_(subscriber),
        keys_(std::move(keys)),
        clock_(clock),
        timers_(timers),
        timeout_(timeout) {}

  void Acquire(const EntityKey& key, Done done);
  /// Gives the lock back, if it is held here, and tells who waits; `error`: why there is
  /// nothing to be read now, or empty.
  void Release(const EntityKey& key, std::string error);

  /// A push on the subscriber's connection.
  void OnPush(const RedisReply& push);

 private:
  struct Wait {
    std::vector<Done> done;
    Timers::Id timer = Timers::kNone;
  };

  void Waits(const EntityKey& key, Done done);
  void EndWait(const std::string& channel);

  RedisClient& client_;
  RedisClient& subscriber_;
  const RedisKeys keys_;
  Clock& clock_;
  Timers& timers_;
  const Millis timeout_;
  // The clients' thread only.
  absl::flat_hash_map<EntityKey, std::string> held_;  // token of each lock
  absl::flat_hash_map<std::string, Wait> waits_;      // by channel
};

}  // namespace sidecar
