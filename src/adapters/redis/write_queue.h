#pragma once

#include <cstddef>
#include <deque>

#include "absl/functional/any_invocable.h"
#include "adapters/redis/redis_client.h"

namespace sidecar {

/// Writes, in order, a few at a time. Replies come in the order of commands: a read waits for all
/// writes that were sent before it, and a write of a whole record takes a hundred times as long,
/// so what is sent is bounded, and the rest waits here (measured: docs/adr/0016). Send and InOrder
/// from any thread.
class WriteQueue {
 public:
  using Done = RedisClient::Done;

  static constexpr size_t kUnderWayMax = 16;
  static constexpr size_t kBytesMax = 32 << 20;

  /// `timeout`: of one write, from when it is sent.
  WriteQueue(RedisClient& client, Clock& clock, Millis timeout) : client_(client), clock_(clock), timeout_(timeout) {}

  /// `done` gets the reply, on the client's thread; RESOURCE_EXHAUSTED: too much waits.
  void Send(RedisCommand command, Done done);

  /// Runs `fn` on the client's thread, when every write before it was sent.
  void InOrder(absl::AnyInvocable<void() &&> fn);

 private:
  struct Item {
    RedisCommand command;  ///< empty: `run`
    Done done;
    absl::AnyInvocable<void() &&> run;
    size_t bytes = 0;
  };

  void Push(Item item);
  void SendWaiting();

  RedisClient& client_;
  Clock& clock_;
  const Millis timeout_;
  // The client's thread only.
  std::deque<Item> waiting_;
  size_t bytes_ = 0;
  size_t under_way_ = 0;
  bool sending_ = false;
};

}  // namespace sidecar
