#pragma once

#include "absl/functional/any_invocable.h"
#include "domain/entitlement.h"
#include "domain/entity_key.h"
#include "domain/time.h"
#include "ports/upstream_failure.h"

namespace sidecar {

using FetchDone = absl::AnyInvocable<void(UpstreamResult<CustomerEntitlements>) &&>;

/// Where entitlements are fetched from on a miss. Thread-safe.
class EntitlementSource {
 public:
  virtual ~EntitlementSource() = default;

  /// Fetches one customer's or resource's entitlements and calls `done` exactly once, by
  /// `deadline` at the latest, from any thread, possibly before returning. An unknown
  /// customer is a success with an empty list.
  virtual void Fetch(const EntityKey& key, MonoTime deadline, FetchDone done) = 0;

  /// False: a fetch would fail at once. Cheap: asked on every read of a suspect record.
  virtual bool available() const { return true; }

  /// A fetch of this key, still under way, outlived the time that a read waits for it.
  virtual void NoteTooSlow(const EntityKey& /*key*/) {}
};

}  // namespace sidecar
