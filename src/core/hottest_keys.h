#pragma once

#include <vector>

#include "cache/entitlement_cache.h"
#include "domain/entity_key.h"

namespace sidecar {

/// Keys of up to `most` records, those first that were used lately as far as eviction knows
/// (one bit a record). Looks at no more than 65,536 places of the cache: a millisecond or
/// two. Thread-safe.
std::vector<EntityKey> HottestKeys(const EntitlementCache& cache, size_t most);

}  // namespace sidecar
