#include "adapters/http/bounded_transport.h"

#include <optional>
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
      queue_.push_back(std::move(waiting));
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
                OneEnded();
                std::move(done)(std::move(result));
              });
}

void BoundedTransport::OneEnded() {
  std::deque<Waiting> too_late;
  std::optional<Waiting> next;
  {
    absl::MutexLock lock(&mu_);
    const MonoTime now = clock_.Now();
    while (!next.has_value() && !queue_.empty()) {
      if (queue_.front().deadline <= now) {
        too_late.push_back(std::move(queue_.front()));
      } else {
        next = std::move(queue_.front());
      }
      queue_.pop_front();
    }
    if (!next.has_value()) --under_way_;
  }
  for (Waiting& waiting : too_late) {
    std::move(waiting.done)(
        {.status = absl::DeadlineExceededError("waited too long for a place"), .surely_not_sent = true});
  }
  if (next.has_value()) Start(*std::move(next));
}

}  // namespace sidecar
