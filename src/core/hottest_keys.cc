#include "core/hottest_keys.h"

#include <algorithm>
#include <iterator>

namespace sidecar {

std::vector<EntityKey> HottestKeys(const EntitlementCache& cache, size_t most) {
  constexpr size_t kSlotsAtOnce = 1'024;
  constexpr size_t kSlotsMax = 65'536;
  std::vector<EntityKey> hot;
  std::vector<EntityKey> others;
  EntitlementCache::WalkPosition at;
  bool more = true;
  for (size_t slots = 0; more && slots < kSlotsMax && hot.size() < most; slots += kSlotsAtOnce) {
    const EpochDomain::Guard guard(cache.epochs());
    more = cache.Walk(at, kSlotsAtOnce, [&](const Record& record) {
      if (record.visited.load(std::memory_order_relaxed)) {
        hot.emplace_back(record.key());
      } else if (others.size() < most) {
        others.emplace_back(record.key());
      }
    });
  }
  const size_t room = most - std::min(most, hot.size());
  others.resize(std::min(others.size(), room));
  std::move(others.begin(), others.end(), std::back_inserter(hot));
  hot.resize(std::min(hot.size(), most));
  return hot;
}

}  // namespace sidecar
