// Retries of one asynchronous exchange inside its deadline.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>

#include "ports/backoff.h"
#include "ports/clock.h"
#include "ports/random.h"
#include "ports/timers.h"
#include "ports/trace.h"
#include "ports/upstream_failure.h"

namespace sidecar {

struct RetryPolicy {
  int attempts_max = 3;   ///< the first included
  Millis delay_min{200};  ///< before the second attempt; doubles from there
  Millis delay_max{2'000};
};

/// What a retry needs of the world.
struct RetryTools {
  Clock& clock;
  Timers& timers;
  Random& random;
};

/// Delay before attempt `next` (2, 3, …): JitteredBackoff, and never less than
/// upstream asked for.
inline Millis RetryDelay(const RetryPolicy& policy, int next, std::optional<Millis> retry_after, Random& random) {
  return std::max(JitteredBackoff(policy.delay_min, policy.delay_max, next - 1, random),
                  retry_after.value_or(Millis(0)));
}

/// Calls `attempt(done)` until it succeeds, fails for good, or the policy or the deadline is
/// spent; then calls `done` with the last result, exactly once. `may_retry` looks at the
/// failure. Every attempt must end by `deadline` itself.
template <typename T>
void WithRetries(const RetryTools& tools, const RetryPolicy& policy, MonoTime deadline,
                 const std::function<bool(const UpstreamFailure&)>& may_retry,
                 const std::function<void(absl::AnyInvocable<void(UpstreamResult<T>) &&>)>& attempt,
                 absl::AnyInvocable<void(UpstreamResult<T>) &&> done) {
  struct Loop : std::enable_shared_from_this<Loop> {
    RetryTools tools;
    RetryPolicy policy;
    MonoTime deadline;
    std::function<bool(const UpstreamFailure&)> may_retry;
    std::function<void(absl::AnyInvocable<void(UpstreamResult<T>) &&>)> attempt;
    absl::AnyInvocable<void(UpstreamResult<T>) &&> done;
    int attempts = 0;

    Loop(const RetryTools& t, const RetryPolicy& p, MonoTime d) : tools(t), policy(p), deadline(d) {}

    void Run() {
      ++attempts;
      attempt([self = this->shared_from_this()](UpstreamResult<T> result) { self->Ended(std::move(result)); });
    }

    void Ended(UpstreamResult<T> result) {
      if (result.ok() || attempts >= policy.attempts_max || !may_retry(result.failure())) {
        return std::move(done)(std::move(result));
      }
      const MonoTime next =
          tools.clock.Now() + RetryDelay(policy, attempts + 1, result.failure().retry_after, tools.random);
      if (next >= deadline) return std::move(done)(std::move(result));
      tools.timers.At(next, [self = this->shared_from_this(), trace = TraceScope::Current()] {
        const TraceScope scope(trace);
        self->Run();
      });
    }
  };
  auto loop = std::make_shared<Loop>(tools, policy, deadline);
  loop->may_retry = may_retry;
  loop->attempt = attempt;
  loop->done = std::move(done);
  loop->Run();
}

}  // namespace sidecar
