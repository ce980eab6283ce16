// A source behind its circuit breaker.
#pragma once

#include <atomic>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "core/circuit_breaker.h"
#include "ports/entitlement_source.h"

namespace sidecar {

/// Fails at once while its breaker is open. Failures that count: no answer, 429, 5xx, a
/// rejected key. A refusal that is about the request (400, 404, a GraphQL error) shows that
/// upstream is there. The probe asks again for what failed last. Thread-safe.
class GuardedSource : public EntitlementSource {
 public:
  GuardedSource(EntitlementSource& inner, Clock& clock, Timers& timers, Millis probe_timeout,
                const BreakerSettings& settings)
      : inner_(inner),
        clock_(clock),
        probe_timeout_(probe_timeout),
        breaker_(clock, timers, settings, [this](CircuitBreaker::ProbeDone done) { Probe(std::move(done)); }) {}

  void Fetch(const EntityKey& key, MonoTime deadline, FetchDone done) override;
  bool available() const override { return !breaker_.open(); }
  void NoteTooSlow(const EntityKey& key) override;

  CircuitBreaker::State breaker() const { return breaker_.state(); }

 private:
  void Probe(CircuitBreaker::ProbeDone done);
  void NoteFailure(const EntityKey& key, std::optional<Millis> retry_after);

  EntitlementSource& inner_;
  Clock& clock_;
  const Millis probe_timeout_;
  absl::Mutex mu_;
  EntityKey failed_last_ ABSL_GUARDED_BY(mu_);
  CircuitBreaker breaker_;
};

}  // namespace sidecar
