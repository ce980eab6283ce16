#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "adapters/redis/fetch_lock.h"
#include "adapters/redis/redis_client.h"
#include "adapters/redis/redis_keys.h"
#include "adapters/redis/redis_writer.h"
#include "core/metrics.h"
#include "ports/clock.h"
#include "ports/shared_store.h"

namespace sidecar {

struct RedisStoreSettings {
  Millis timeout{50};               ///< of a read, both round trips together
  Millis unknown_age{604'800'000};  ///< what a record's age is when nothing says it: it cannot be older
  bool external_writer = false;     ///< the vendor's service keeps Redis current
};

/// Records in Redis, in the vendor's layout (docs/redis.md). Thread-safe.
///
/// A record is current when somebody maintains Redis now and its sibling says that it was
/// fetched after the last gap; without a sibling of its own (the vendor's service wrote it)
/// only REDIS_EXTERNAL_WRITER can say so, with the vendor's rule for resources.
class RedisStore : public SharedStore {
 public:
  /// Whether Redis is kept current now, and we hear of every change of it.
  using Maintained = std::function<bool()>;

  RedisStore(RedisClient& client, RedisWriter& writer, FetchLocks& locks, Clock& clock, Metrics& metrics,
             const RedisStoreSettings& settings)
      : client_(client), writer_(writer), locks_(locks), clock_(clock), metrics_(metrics), settings_(settings) {}

  /// Before anything is read.
  void SetMaintained(Maintained maintained) { maintained_ = std::move(maintained); }

  bool available() const override { return client_.up(); }
  void Read(const EntityKey& key, Intent intent, ReadDone done) override;
  void Write(const EntityKey& key, const CustomerEntitlements& value, MonoTime started) override;
  void FetchEnded(const EntityKey& key, bool ok) override {
    writer_.InOrder([this, key, ok] { locks_.Release(key, ok ? "" : "the fetch failed"); });
  }
  void Apply(const UsageReceipt& receipt) override { writer_.Apply(receipt); }

  /// Redis' time for one of ours, ms since 1970; 0: unknown. Never later than it is.
  int64_t RedisTime(MonoTime at) const;
  /// The reply to TIME.
  void NoteTime(const RedisReply& reply);

 private:
  struct Reading;
  using ReadingPtr = std::shared_ptr<Reading>;

  /// Reads what is there; without a lock when somebody else's fetch has just ended.
  void ReadOnce(const ReadingPtr& reading);
  void OnList(const ReadingPtr& reading, const RedisReply& reply);
  void OnUsage(const ReadingPtr& reading, const RedisReply& reply);
  void Judge(const ReadingPtr& reading);
  void NotThere(const ReadingPtr& reading);
  void Unusable(const ReadingPtr& reading, const absl::Status& why);

  RedisClient& client_;
  RedisWriter& writer_;
  FetchLocks& locks_;
  Clock& clock_;
  Metrics& metrics_;
  const RedisStoreSettings settings_;
  Maintained maintained_;
  std::atomic<int64_t> time_offset_ms_{INT64_MIN};
};

}  // namespace sidecar
