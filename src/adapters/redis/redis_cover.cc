#include "adapters/redis/redis_cover.h"

#include <algorithm>
#include <utility>

namespace sidecar {

void RedisCover::OnUp() {
  tracking_ = true;
  // What changed meanwhile was not heard of, and Redis may be another one, or empty.
  if (std::exchange(was_up_, true)) DoubtAll();
  LookAtFeed([](bool) {});
  Update();
}

void RedisCover::OnDown() {
  tracking_ = false;
  feed_alive_ = false;
  Update();
}

void RedisCover::OnPush(const RedisReply& push) {
  const std::string* const kind = push.TextAt(0);
  if (kind == nullptr || *kind != "invalidate" || push.items.size() < 2) return;
  const RedisReply& what = push.items[1];
  if (what.type != RedisReply::Type::kList) return DoubtAll();  // FLUSHALL and the like
  std::vector<EntityKey> entities;
  for (const RedisReply& key : what.items) OnChanged(key.text, entities);
  for (const EntityKey& entity : entities) parts_.changed(entity.view());
}

void RedisCover::OnChanged(const std::string& key, std::vector<EntityKey>& entities) {
  if (key == keys_.Epoch()) return DoubtAll();
  if (key == keys_.Feed()) return LookAtFeed([](bool) {});
  bool too_many = false;
  for (EntityKey& entity : keys_.EntitiesOf(key, too_many)) {
    if (std::ranges::find(entities, entity) == entities.end()) entities.push_back(std::move(entity));
  }
  if (too_many) DoubtAll();
}

void RedisCover::Poll(absl::AnyInvocable<void(bool) &&> done) {
  parts_.client.Call({"TIME"}, parts_.clock.Now() + timeout_, [this](const absl::StatusOr<RedisReply>& reply) {
    if (reply.ok()) parts_.store.NoteTime(*reply);
  });
  LookAtFeed(std::move(done));
}

void RedisCover::LookAtFeed(absl::AnyInvocable<void(bool) &&> done) {
  parts_.client.Call({"EXISTS", keys_.Feed()}, parts_.clock.Now() + timeout_,
                     [this, done = std::move(done)](const absl::StatusOr<RedisReply>& reply) mutable {
                       if (reply.ok()) {
                         feed_alive_ = reply->integer > 0;
                         Update();
                       }
                       std::move(done)(reply.ok());
                     });
}

void RedisCover::OnOwnFeed(bool live) {
  own_feed_ = live;
  own_epoch_ = false;
  feed_alive_ = false;
  covered_ = covered_ && !live;  // goes on anew
  Update();
}

void RedisCover::OnOwnEpoch(bool begun) {
  own_epoch_ = begun;
  Update();
}

void RedisCover::Update() {
  // One's own heartbeat is in Redis after one's own epoch, and may be there still when the epoch is due again.
  const bool fed = own_feed_ ? own_epoch_ : feed_alive_;
  const bool maintained = tracking_ && (fed || external_writer_);
  maintained_.store(maintained, std::memory_order_relaxed);
  const bool covered = maintained || own_feed_;
  if (covered == covered_) return;
  covered_ = covered;
  if (covered) {
    parts_.intake.OnLive();
  } else {
    parts_.intake.OnLost();
  }
}

}  // namespace sidecar
