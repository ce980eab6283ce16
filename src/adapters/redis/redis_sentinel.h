#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "adapters/redis/redis_client.h"

namespace sidecar {

/// Asks Redis Sentinel where the master is, and hears when that changes. One Sentinel at a time
/// is connected; the next one is when it does not answer, or names a master that nobody can
/// reach. Source: design section 8; the protocol of clients at redis.io, "Sentinel clients".
///
/// Start from any thread, once; everything else on the client's thread.
class RedisSentinel {
 public:
  struct Settings {
    std::vector<RedisAddress> sentinels;  ///< at least one
    std::string master_name;
    RedisClient::MakeSettings make_link;  ///< TLS and login; where to is filled in
  };
  /// Called with the master's address when it is first known, and whenever it is another one.
  using OnMaster = std::function<void(const RedisAddress&)>;

  static constexpr Millis kAnswersWithin{500};

  RedisSentinel(const RedisClient::Tools& tools, Settings settings, OnMaster on_master);

  void Start();

  /// The master that was named last could not be reached.
  void NoteUnreachable();

 private:
  RedisLinkSettings NextSentinel();
  void Ask(absl::AnyInvocable<void(bool) &&> done);
  void OnPush(const RedisReply& push);
  void Named(const std::string& host, const std::string& port);

  const RedisClient::Tools tools_;
  const Settings settings_;
  const OnMaster on_master_;
  RedisClient client_;
  // The client's thread only.
  size_t next_ = 0;
  std::optional<RedisAddress> master_;
  int unreachable_ = 0;
  bool said_unknown_ = false;
};

}  // namespace sidecar
