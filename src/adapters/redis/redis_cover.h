#pragma once

#include <atomic>
#include <functional>

#include "absl/functional/any_invocable.h"
#include "adapters/redis/redis_client.h"
#include "adapters/redis/redis_keys.h"
#include "adapters/redis/redis_store.h"
#include "ports/change_feed.h"

namespace sidecar {

/// Keeps memory coherent with Redis: what is changed there is read again, and the change feed's cover is on while Redis
/// is maintained and we hear of its changes. On the client's thread; maintained() from any.
class RedisCover {
 public:
  struct Parts {
    RedisClient& client;
    RedisStore& store;
    ChangeSink& intake;
    /// Somebody has changed the record.
    std::function<void(EntityKeyView)> changed;
    Clock& clock;
  };

  RedisCover(const Parts& parts, RedisKeys keys, Millis timeout, bool external_writer)
      : parts_(parts), keys_(std::move(keys)), timeout_(timeout), external_writer_(external_writer) {}

  // What the client tells (RedisClient::Hooks).
  void OnUp();
  void OnDown();
  void OnPush(const RedisReply& push);
  void Poll(absl::AnyInvocable<void(bool) &&> done);

  /// This process holds the feed and writes what it says. Every time that it goes live, what
  /// changed before may have been missed.
  void OnOwnFeed(bool live);

  /// Whether Redis knows since when: before that, what it has may be from before a gap, and nobody is told so.
  void OnOwnEpoch(bool begun);

  /// Somebody keeps Redis current, and we hear of every change of it.
  bool maintained() const { return maintained_.load(std::memory_order_relaxed); }

 private:
  void OnChanged(const std::string& key, std::vector<EntityKey>& entities);
  void DoubtAll() { parts_.intake.OnPush(CatalogPush{}); }
  void LookAtFeed(absl::AnyInvocable<void(bool) &&> done);
  void Update();

  const Parts parts_;
  const RedisKeys keys_;
  const Millis timeout_;
  const bool external_writer_;
  bool tracking_ = false;
  bool was_up_ = false;
  bool feed_alive_ = false;  ///< the leader's heartbeat
  bool own_feed_ = false;
  bool own_epoch_ = false;
  bool covered_ = false;
  std::atomic<bool> maintained_{false};
};

}  // namespace sidecar
