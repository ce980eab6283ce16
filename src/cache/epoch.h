// Epoch-based reclamation: lets readers follow pointers into the cache without locks or
// reference counts, and tells writers when unlinked memory may be freed.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"

namespace sidecar {

/// One set of shared objects that are reclaimed together.
///
/// A reader holds a Guard while it uses pointers that it loaded from the shared structure.
/// A writer unlinks an object, then calls Retire; the object is freed once every Guard that
/// could have seen it is gone (two epoch advances later).
///
/// Thread-safe. A Guard costs one full memory barrier, never waits, and must not be held
/// across a blocking call: what is retired meanwhile stays allocated. Guards nest.
class EpochDomain {
 public:
  /// More threads than this that ever hold a Guard at the same time end the process: the
  /// daemon has a fixed set of well under fifty threads.
  static constexpr size_t kThreadsMax = 256;

  EpochDomain() = default;
  /// No Guard may be alive; frees all that is retired.
  ~EpochDomain();
  EpochDomain(const EpochDomain&) = delete;
  EpochDomain& operator=(const EpochDomain&) = delete;

  class Guard {
   public:
    explicit Guard(EpochDomain& domain) noexcept;
    ~Guard();
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    EpochDomain& domain_;
    const size_t slot_;
  };

  /// Frees `bytes` of memory through `free` once no reader can see it. Must be called after
  /// the object was unlinked. Frees older garbage on the way, on the calling thread.
  void Retire(size_t bytes, absl::AnyInvocable<void() &&> free);

  /// Bytes retired and not freed yet.
  size_t retired_bytes() const { return retired_bytes_.load(std::memory_order_relaxed); }

  /// Frees what can be freed now. Retire does so by itself; for tests and quiet times.
  void Collect();

 private:
  struct alignas(64) Slot {
    std::atomic<uint64_t> pinned_epoch{0};  // 0: no guard
    uint32_t depth = 0;                     // touched by the owning thread only
  };
  struct Garbage {
    uint64_t epoch;
    size_t bytes;
    absl::AnyInvocable<void() &&> free;
  };

  bool TryAdvance() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::deque<Garbage> TakeFreeable() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  std::atomic<uint64_t> epoch_{2};
  std::array<Slot, kThreadsMax> slots_;
  std::atomic<size_t> retired_bytes_{0};

  absl::Mutex mu_;
  std::deque<Garbage> garbage_ ABSL_GUARDED_BY(mu_);
};

}  // namespace sidecar
