#include "cache/epoch.h"

#include <cstdio>
#include <cstdlib>
#include <utility>
#include <vector>

#if defined(__SANITIZE_THREAD__)
#define SIDECAR_UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SIDECAR_UNDER_TSAN 1
#endif
#endif

namespace sidecar {
namespace {

/// Gives each thread a small number, the same in every domain, and takes it back when the
/// thread ends.
class ThreadNumbers {
 public:
  size_t Take() {
    absl::MutexLock lock(&mu_);
    if (!free_.empty()) {
      const size_t number = free_.back();
      free_.pop_back();
      return number;
    }
    if (next_ == EpochDomain::kThreadsMax) {
      std::fprintf(stderr, "stigg-sidecar: more than %zu threads read the cache\n", EpochDomain::kThreadsMax);
      std::abort();
    }
    return next_++;
  }

  void Return(size_t number) {
    absl::MutexLock lock(&mu_);
    free_.push_back(number);
  }

 private:
  absl::Mutex mu_;
  std::vector<size_t> free_ ABSL_GUARDED_BY(mu_);
  size_t next_ ABSL_GUARDED_BY(mu_) = 0;
};

ThreadNumbers& Numbers() {
  // Leaked on purpose: threads may end after static destruction has begun.
  static auto* numbers = new ThreadNumbers;
  return *numbers;
}

size_t ThisThreadNumber() {
  struct Holder {
    const size_t number = Numbers().Take();
    ~Holder() { Numbers().Return(number); }
  };
  thread_local const Holder holder;
  return holder.number;
}

/// Orders the publication of a pin before the loads that it protects.
inline void FullFence() {
#ifdef SIDECAR_UNDER_TSAN
  // TSan does not model fences; it sees the happens-before edges that matter (pin release
  // to collector acquire) without it.
#else
  std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
}

/// Garbage is collected when there is this much of it: few large records are as good a reason
/// as many small ones.
constexpr size_t kCollectEvery = 32;
constexpr size_t kCollectBytes = 1 << 20;

}  // namespace

EpochDomain::~EpochDomain() {
  absl::MutexLock lock(&mu_);
  for (Garbage& garbage : garbage_) std::move(garbage.free)();
}

EpochDomain::Guard::Guard(EpochDomain& domain) noexcept : domain_(domain), slot_(ThisThreadNumber()) {
  Slot& slot = domain_.slots_[slot_];
  if (slot.depth++ > 0) return;
  slot.pinned_epoch.store(domain_.epoch_.load(std::memory_order_acquire), std::memory_order_relaxed);
  FullFence();
}

EpochDomain::Guard::~Guard() {
  Slot& slot = domain_.slots_[slot_];
  if (--slot.depth == 0) slot.pinned_epoch.store(0, std::memory_order_release);
}

bool EpochDomain::TryAdvance() {
  const uint64_t now = epoch_.load(std::memory_order_relaxed);
  for (const Slot& slot : slots_) {
    const uint64_t pinned = slot.pinned_epoch.load(std::memory_order_acquire);
    if (pinned != 0 && pinned != now) return false;
  }
  epoch_.store(now + 1, std::memory_order_release);
  return true;
}

std::deque<EpochDomain::Garbage> EpochDomain::TakeFreeable() {
  FullFence();
  if (TryAdvance()) TryAdvance();
  const uint64_t now = epoch_.load(std::memory_order_relaxed);
  std::deque<Garbage> freeable;
  while (!garbage_.empty() && garbage_.front().epoch + 2 <= now) {
    freeable.push_back(std::move(garbage_.front()));
    garbage_.pop_front();
  }
  return freeable;
}

void EpochDomain::Retire(size_t bytes, absl::AnyInvocable<void() &&> free) {
  retired_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  FullFence();  // the unlinking store comes before the load of the epoch
  bool collect;
  {
    absl::MutexLock lock(&mu_);
    garbage_.push_back({epoch_.load(std::memory_order_relaxed), bytes, std::move(free)});
    collect = garbage_.size() >= kCollectEvery || retired_bytes() > kCollectBytes;
  }
  if (collect) Collect();
}

void EpochDomain::Collect() {
  std::deque<Garbage> freeable;
  {
    absl::MutexLock lock(&mu_);
    freeable = TakeFreeable();
  }
  // Freed outside the lock: a destructor may take locks of its own.
  for (Garbage& garbage : freeable) {
    std::move(garbage.free)();
    retired_bytes_.fetch_sub(garbage.bytes, std::memory_order_relaxed);
  }
}

}  // namespace sidecar
