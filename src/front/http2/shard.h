// What the connections of one thread share.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "front/call_account.h"
#include "front/front_limits.h"
#include "front/health_state.h"
#include "front/http2/call.h"
#include "service/services.h"

namespace sidecar {

class Http2Connection;

/// Of the whole front. Everything must outlive it.
struct Http2Shared {
  const Handlers& handlers;
  HealthState& health;
  const FrontLimits& limits;
  CallBooks books;
};

/// Calls of one thread, to be used again, and where they go when a handler has ended them.
class Http2Shard {
 public:
  explicit Http2Shard(const Http2Shared& shared) : shared_(shared) {}
  virtual ~Http2Shard() = default;
  Http2Shard(const Http2Shard&) = delete;
  Http2Shard& operator=(const Http2Shard&) = delete;

  const Http2Shared& shared() const { return shared_; }

  /// A handler has ended the call. Any thread.
  virtual void Finished(Http2Call& call) = 0;
  /// The connection has something to send. The shard's thread only, as all that follows.
  virtual void WantsToSend(Http2Connection& connection) = 0;

  Http2Call* TakeCall() {
    if (idle_.empty()) return new Http2Call(*this);
    Http2Call* const call = idle_.back().release();
    idle_.pop_back();
    return call;
  }
  void GiveBack(Http2Call* call) {
    std::unique_ptr<Http2Call> owned(call);
    if (idle_.size() < kIdleMax && owned->out.capacity() <= kKeptBytesMax) idle_.push_back(std::move(owned));
  }

  void NoteArrived() { arrived_.store(arrived_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed); }
  void NoteEnded() { ended_.store(ended_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }
  void NoteFlood() { floods_.fetch_add(1, std::memory_order_relaxed); }

  /// Calls that reached a handler. Any thread, as what follows.
  uint64_t handled() const { return arrived_.load(std::memory_order_relaxed); }
  /// Calls that a handler has.
  uint64_t running() const {
    const uint64_t ended = ended_.load(std::memory_order_acquire);
    return arrived_.load(std::memory_order_relaxed) - ended;
  }
  /// Connections that were closed for flooding.
  uint64_t floods() const { return floods_.load(std::memory_order_relaxed); }

  size_t watchers = 0;  ///< streams of health and reflection that are open

 private:
  /// What a burst needed beyond this is freed.
  static constexpr size_t kIdleMax = 1024;
  static constexpr size_t kKeptBytesMax = 64 << 10;

  const Http2Shared shared_;
  std::vector<std::unique_ptr<Http2Call>> idle_;
  std::atomic<uint64_t> arrived_{0};  // written by the shard's thread only
  std::atomic<uint64_t> ended_{0};    // so is this
  std::atomic<uint64_t> floods_{0};
};

}  // namespace sidecar
