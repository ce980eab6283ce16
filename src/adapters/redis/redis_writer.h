#pragma once

#include <functional>
#include <memory>
#include <string>

#include "adapters/redis/redis_client.h"
#include "adapters/redis/redis_codec.h"
#include "adapters/redis/redis_keys.h"
#include "adapters/redis/write_queue.h"
#include "core/record_changes.h"

namespace sidecar {

struct RedisWriterSettings {
  int64_t keys_ttl_secs = 604'800;  ///< negative: none
  /// Pushed lists touch only what is there (CACHE_UPDATE_POLICY).
  bool update_only = true;
  Millis timeout{2'000};  ///< of one write; nobody waits for it
};

/// Every write of records, guarded as the vendor's engine guards its own, in one step each: a
/// newer value is never replaced by an older one. What fails is counted and forgotten; a later
/// read finds the record missing or old and fetches it. Thread-safe.
class RedisWriter {
 public:
  /// Redis' time for one of ours, ms since 1970; 0 while it is not known.
  using RedisTime = std::function<int64_t(MonoTime)>;
  using Done = absl::AnyInvocable<void(absl::StatusOr<RedisReply>) &&>;

  RedisWriter(RedisClient& client, RedisKeys keys, Clock& clock, Metrics& metrics, RedisTime redis_time,
              const RedisWriterSettings& settings)
      : client_(client),
        keys_(std::move(keys)),
        clock_(clock),
        metrics_(metrics),
        redis_time_(std::move(redis_time)),
        settings_(settings),
        queue_(client, clock, settings.timeout) {}

  /// What a fetch brought that began at `started`.
  void WriteRecord(const EntityKey& key, const CustomerEntitlements& value, MonoTime started);

  void Apply(const UsageReceipt& receipt);

  /// What the leader with this token was told. If Redis may not have it afterwards, `on_lost_push` is called, on the
  /// client's thread.
  void Apply(const Push& push, const std::string& token);
  /// Before the first push.
  void OnLostPush(std::function<void()> on_lost_push) { on_lost_push_ = std::move(on_lost_push); }

  /// Runs `fn` when every write before it was sent, so that whoever it tells finds them.
  void InOrder(absl::AnyInvocable<void() &&> fn) { queue_.InOrder(std::move(fn)); }

  // The leader's own keys, ahead of the writes that wait.

  /// Sets `key` to Redis' time; 0 ms: for ever.
  void StampTime(const std::string& key, Millis lives, const std::string& token, Done done);
  void DeleteNow(std::vector<std::string> keys, const std::string& token);

  const RedisKeys& keys() const { return keys_; }

 private:
  struct Write;

  void WriteValue(const EntityKey& key, const CustomerEntitlements& value, int64_t as_of, bool update_only,
                  const std::string& token);
  void TryWrite(const std::shared_ptr<Write>& write);
  void WriteUsage(const EntityKey& key, const std::string& feature_id, double current, std::optional<WallTime> start,
                  std::optional<WallTime> end, std::optional<WallTime> at, const std::string& token);
  void AddChange(const EntityKey& key, const std::variant<UsagePush, BalancePush>& push, const std::string& token,
                 int attempts);
  MonoTime Deadline() const { return clock_.Now() + settings_.timeout; }
  std::string Ttl() const;
  /// Counts how a write ended; with a token: of a push.
  void Note(const absl::StatusOr<RedisReply>& reply, const std::string& token);
  Done Noted(const std::string& token) {
    return [this, token](const absl::StatusOr<RedisReply>& reply) { Note(reply, token); };
  }
  void Delete(const EntityKey& key, const std::string& token);
  void Run(std::string_view script, std::vector<std::string> keys, std::vector<std::string> arguments, Done done);

  RedisClient& client_;
  const RedisKeys keys_;
  Clock& clock_;
  Metrics& metrics_;
  const RedisTime redis_time_;
  const RedisWriterSettings settings_;
  std::function<void()> on_lost_push_ = [] {};
  WriteQueue queue_;
};

}  // namespace sidecar
