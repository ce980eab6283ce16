// The one door into the cache: how what arrives (fetched lists, acknowledged usage) is
// combined with what is held. Newer is never replaced by older.
// Source: design section 7 (order), docs/architecture.md.
#pragma once

#include "cache/entitlement_cache.h"
#include "core/freshness.h"
#include "ports/clock.h"
#include "ports/random.h"
#include "ports/usage_sink.h"

namespace sidecar {

/// Thread-safe.
class RecordDoor {
 public:
  RecordDoor(EntitlementCache& cache, Clock& clock, Random& random, const FreshnessSettings& settings)
      : cache_(cache), clock_(clock), random_(random), settings_(settings) {}

  /// When a fetch began: taken before the request is sent, so that what happened meanwhile
  /// is known to be newer.
  struct FetchStart {
    MonoTime at;
    WallTime at_wall;
  };
  FetchStart StartFetch() const { return {clock_.Now(), clock_.WallNow()}; }

  enum class Mode {
    kMerge,    ///< usage that was acknowledged after the fetch began is kept
    kReplace,  ///< reload: what was fetched stands
  };

  /// Stores a fetched list. The outcome's record is what readers see from now on; nullptr
  /// only when the list does not fit the record format.
  EntitlementCache::Outcome Admit(EntityKeyView key, const CustomerEntitlements& fetched, const FetchStart& start,
                                  Mode mode);

  /// Applies acknowledged usage, and the balance of the credit that paid for it, to a record
  /// that is held; nothing happens when none is.
  void ApplyReceipt(const UsageReceipt& receipt);

 private:
  EntitlementCache& cache_;
  Clock& clock_;
  Random& random_;
  const FreshnessSettings settings_;
};

}  // namespace sidecar
