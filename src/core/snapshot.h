// The cache's contents as a snapshot, and back: so that a restart without upstream answers
// what was known before. Source: design section 5 and 13, docs/adr/0013.
#pragma once

#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "cache/entitlement_cache.h"
#include "domain/entity_key.h"
#include "ports/clock.h"
#include "ports/snapshot_store.h"

namespace sidecar {

/// Of restored keys, this many are remembered for the refresh that follows: one round of
/// core/background_refresh.h. What is left is refreshed when it is read.
inline constexpr size_t kRestoredKeysMax = 1'000;

struct RestoredSnapshot {
  size_t records = 0;
  bool cache_full = false;         ///< the rest did not fit
  std::vector<EntityKey> hottest;  ///< at most kRestoredKeysMax, hottest first
};

/// Time since a record was last known to be current (LiveCover::AgeOf).
using AgeOfRecord = std::function<Millis(const Record&, MonoTime now)>;

/// Hands the whole cache to `store`, in small steps: an epoch guard is never held while the
/// store works. Errors are the store's.
absl::StatusOr<SnapshotSize> WriteSnapshot(const EntitlementCache& cache, const Clock& clock, const AgeOfRecord& age_of,
                                           SnapshotStore& store, SnapshotStore::KeepGoing keep_going);

/// Fills the cache from `store`, as far as there is room; records that are there already
/// stay. What is restored is suspect and has its true age: ages are wall-clock differences,
/// never below zero. `restored` is right also when the status, the store's, is not OK.
absl::Status RestoreSnapshot(EntitlementCache& cache, const Clock& clock, SnapshotStore& store,
                             RestoredSnapshot& restored);

}  // namespace sidecar
