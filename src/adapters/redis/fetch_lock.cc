#include "adapters/redis/fetch_lock.h"

#include <utility>

#include "adapters/json/json.h"
#include "adapters/redis/redis_scripts.h"
#include "ids/new_id.h"

namespace sidecar {

void FetchLocks::Acquire(const EntityKey& key, Done done) {
  std::string token = NewUuid();
  RedisCommand command{"SET", keys_.FetchLock(key.view()), token, "NX", "PX", std::to_string(kLives.count())};
  client_.Call(std::move(command), clock_.Now() + timeout_,
               [this, key, token = std::move(token), done = std::move(done)](absl::StatusOr<RedisReply> reply) mutable {
                 const bool taken = reply.ok() && reply->type == RedisReply::Type::kNil;
                 if (taken && subscriber_.up()) return Waits(key, std::move(done));
                 if (reply.ok() && !taken) held_[key] = std::move(token);
                 std::move(done)(Outcome::kMine);
               });
}

void FetchLocks::Waits(const EntityKey& key, Done done) {
  const std::string channel = keys_.FetchChannel(key.view());
  const bool first = !waits_.contains(channel);
  Wait& wait = waits_[channel];
  wait.done.push_back(std::move(done));
  if (!first) return;
  wait.timer = timers_.At(clock_.Now() + kWait, [this, channel] { EndWait(channel); });
  subscriber_.Subscribe(channel);
  // The fetch may have ended before we listened.
  client_.Call({"EXISTS", keys_.FetchLock(key.view())}, clock_.Now() + timeout_,
               [this, channel](const absl::StatusOr<RedisReply>& reply) {
                 if (reply.ok() && reply->integer == 0) EndWait(channel);
               });
}

void FetchLocks::OnPush(const RedisReply& push) {
  const std::string* const kind = push.TextAt(0);
  const std::string* const channel = push.TextAt(1);
  if (kind != nullptr && channel != nullptr && *kind == "message") EndWait(*channel);
}

void FetchLocks::EndWait(const std::string& channel) {
  const auto found = waits_.find(channel);
  if (found == waits_.end()) return;
  Wait wait = std::move(found->second);
  waits_.erase(found);
  timers_.Cancel(wait.timer);
  subscriber_.Unsubscribe(channel);
  for (Done& done : wait.done) std::move(done)(Outcome::kOthers);
}

void FetchLocks::Release(const EntityKey& key, std::string error) {
  client_.Post([this, key, error = std::move(error)] {
    const auto found = held_.find(key);
    if (found == held_.end()) return;
    const std::string token = std::move(found->second);
    held_.erase(found);
    Json message = Json::object();
    if (!error.empty()) message["error"] = error;
    client_.Call(redis_scripts::Run(redis_scripts::kRelease, {keys_.FetchLock(key.view())},
                                    {token, keys_.FetchChannel(key.view()), message.dump()}),
                 clock_.Now() + Millis(2'000), [](const absl::StatusOr<RedisReply>&) {});
  });
}

}  // namespace sidecar
