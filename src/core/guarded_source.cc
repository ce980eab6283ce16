#include "core/guarded_source.h"

#include <utility>

namespace sidecar {
namespace {

/// Whether the failure says that upstream itself is not well.
bool IsAbsence(const UpstreamFailure& failure) {
  return failure.transient || failure.invalid_key || failure.status.code() == absl::StatusCode::kDeadlineExceeded;
}

}  // namespace

void GuardedSource::Fetch(const EntityKey& key, MonoTime deadline, FetchDone done) {
  if (breaker_.open()) {
    return std::move(done)(UpstreamFailure{.status = absl::UnavailableError("upstream keeps failing and is not asked"),
                                           .surely_not_processed = true});
  }
  inner_.Fetch(key, deadline, [this, key, done = std::move(done)](UpstreamResult<CustomerEntitlements> result) mutable {
    if (result.ok() || !IsAbsence(result.failure())) {
      breaker_.NoteSuccess();
    } else {
      NoteFailure(key, result.failure().retry_after);
    }
    std::move(done)(std::move(result));
  });
}

void GuardedSource::NoteTooSlow(const EntityKey& key) { NoteFailure(key, std::nullopt); }

void GuardedSource::NoteFailure(const EntityKey& key, std::optional<Millis> retry_after) {
  {
    absl::MutexLock lock(&mu_);
    failed_last_ = key;
  }
  breaker_.NoteFailure(retry_after);
}

void GuardedSource::Probe(CircuitBreaker::ProbeDone done) {
  EntityKey key;
  {
    absl::MutexLock lock(&mu_);
    key = failed_last_;
  }
  inner_.Fetch(key, clock_.Now() + probe_timeout_,
               [done = std::move(done)](const UpstreamResult<CustomerEntitlements>& result) mutable {
                 std::move(done)(result.ok() || !IsAbsence(result.failure()));
               });
}

}  // namespace sidecar
