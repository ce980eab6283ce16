#include "adapters/http/bounded_transport.h"

#include <utility>

namespace sidecar {

void BoundedTransport::Send(HttpRequest request, MonoTime deadline, Done done) {
  Waiting waiting{std::move(request), deadline, std::move(done)};
  bool start = false;
  {
    absl::MutexLock lock(&mu_);
    start = under_way_ < under_way_max_;
    if (start) {
      ++under_way_;
    } else if (queue_.size() < queue_max_) {
      const uint64_t ticket = next_ticket_++;
      waiting.timer = timers_.At(deadline, [this, ticket] { TimeOut(ticket); });
      queue_.emplace(ticket, std::move(waiting));
      return;
    }
  }
  if (start) return Start(std::move(waiting));
  std::move(waiting.done)(
      {.status = absl::ResourceExhaustedError("too many requests to upstream are waiting"), .surely_not_sent = true});
}

void BoundedTransport::Start(Waiting waiting) {
  inner_.Send(std::move(waiting.request), waiting.deadline,
              [this, done = std::move(waiting.done)](HttpResult result) mutable {
                {
                  absl::MutexLock lock(&mu_);
                  --under_way_;
                }
                StartWaiting();
                std::move(done)(std::move(result));
              });
}

void BoundedTransport::StartWaiting() {
  {
    absl::MutexLock lock(&mu_);
    if (starting_) return;  // whoever is at it looks again
    starting_ = true;
  }
  for (;;) {
    Waiting next;
    {
      absl::MutexLock lock(&mu_);
      if (queue_.empty() || under_way_ >= under_way_max_) {
        starting_ = false;
        return;
      }
      ++under_way_;
      next = std::move(queue_.extract(queue_.begin()).mapped());
    }
    timers_.Cancel(next.timer);
    Start(std::move(next));
  }
}

void BoundedTransport::TimeOut(uint64_t ticket) {
  Waiting late;
  {
    absl::MutexLock lock(&mu_);
    const auto found = queue_.find(ticket);
    if (found == queue_.end()) return;  // was started at the last moment
    late = std::move(found->second);
    queue_.erase(found);
  }
  std::move(late.done)({.status = absl::DeadlineExceededError("waited too long for a place"), .surely_not_sent = true});
}

}  // namespace sidecar
