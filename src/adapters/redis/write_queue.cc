#include "adapters/redis/write_queue.h"

#include <utility>

namespace sidecar {

void WriteQueue::Send(RedisCommand command, Done done) {
  size_t bytes = 0;
  for (const std::string& part : command) bytes += part.size() + sizeof(std::string);
  Push({.command = std::move(command), .done = std::move(done), .run = nullptr, .bytes = bytes});
}

void WriteQueue::InOrder(absl::AnyInvocable<void() &&> fn) {
  Push({.command = {}, .done = nullptr, .run = std::move(fn), .bytes = 0});
}

void WriteQueue::Push(Item item) {
  client_.Post([this, item = std::move(item)]() mutable {
    if (bytes_ + item.bytes > kBytesMax) {
      return std::move(item.done)(absl::ResourceExhaustedError("too many writes wait for Redis"));
    }
    bytes_ += item.bytes;
    waiting_.push_back(std::move(item));
    SendWaiting();
  });
}

void WriteQueue::SendWaiting() {
  if (std::exchange(sending_, true)) return;  // a write that ended at once, further up the stack
  while (!waiting_.empty() && (under_way_ < kUnderWayMax || waiting_.front().command.empty())) {
    Item item = std::move(waiting_.front());
    waiting_.pop_front();
    bytes_ -= item.bytes;
    if (item.command.empty()) {
      std::move(item.run)();
      continue;
    }
    if (!client_.up()) {
      std::move(item.done)(absl::UnavailableError("Redis is not there, or does not answer in time"));
      continue;
    }
    ++under_way_;
    client_.Call(std::move(item.command), clock_.Now() + timeout_,
                 [this, done = std::move(item.done)](absl::StatusOr<RedisReply> reply) mutable {
                   --under_way_;
                   std::move(done)(std::move(reply));
                   SendWaiting();
                 });
  }
  sending_ = false;
}

}  // namespace sidecar
