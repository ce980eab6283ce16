#pragma once

#include <utility>

#include "ports/clock.h"
#include "ports/entitlement_source.h"

namespace sidecar {

/// Asks one source, and after a failure another (EDGE_FALLBACK_TO_GRAPHQL). The first gets
/// half of the time, so that some is left for the second.
class FallbackSource : public EntitlementSource {
 public:
  FallbackSource(EntitlementSource& first, EntitlementSource& second, Clock& clock)
      : first_(first), second_(second), clock_(clock) {}

  void Fetch(const EntityKey& key, MonoTime deadline, FetchDone done) override {
    const MonoTime now = clock_.Now();
    first_.Fetch(key, now + (deadline - now) / 2,
                 [this, key, deadline, done = std::move(done)](UpstreamResult<CustomerEntitlements> result) mutable {
                   if (result.ok()) return std::move(done)(std::move(result));
                   second_.Fetch(key, deadline, std::move(done));
                 });
  }

  bool available() const override { return first_.available() || second_.available(); }
  void NoteTooSlow(const EntityKey& key) override { first_.NoteTooSlow(key); }

 private:
  EntitlementSource& first_;
  EntitlementSource& second_;
  Clock& clock_;
};

}  // namespace sidecar
