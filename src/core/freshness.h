// How fresh a record is, and how long to leave a failing one alone.
// Source: design section 5, restated in docs/architecture.md.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cache/record.h"
#include "core/live_cover.h"
#include "domain/time.h"
#include "ports/random.h"

namespace sidecar {

struct FreshnessSettings {
  /// A record fetched without live cover wants a refresh after this time.
  Millis ttl{30'000};
  /// So does one that says "nothing here", live cover or not; ± 20 %.
  Millis negative_ttl{60'000};
  /// Back-off of a record whose refresh failed: doubling from min to max.
  Millis retry_min{1'000};
  Millis retry_max{30'000};
};

/// Whether the record wants a refresh before it is trusted.
inline bool IsSuspect(const Record& record, MonoTime now, const LiveCover& cover) {
  return now >= record.suspect_at() || record.fetched_at() <= cover.stale_before() ||
         record.suspect.load(std::memory_order_relaxed);
}

/// Whether a read should ask for a refresh now: not while the record is backed off after a
/// failure, nor for a while after a refresh outlived the read budget.
inline bool MayRefresh(const Record& record, MonoTime now) {
  return now.time_since_epoch().count() >= record.refresh_not_before_ms.load(std::memory_order_relaxed);
}

/// Whether a read of something that is over should wait for a fetch: not while the record is
/// backed off after a failure.
inline bool MayFetch(const Record& record, MonoTime now) {
  return record.refresh_failures.load(std::memory_order_relaxed) == 0 || MayRefresh(record, now);
}

/// When a record fetched at `fetched_at` turns suspect by age alone. `covered`: the change
/// feed keeps it current from then on.
inline MonoTime SuspectAt(const FreshnessSettings& settings, MonoTime fetched_at, bool negative, bool covered,
                          Random& random) {
  const MonoTime by_age = covered ? MonoTime::max() : fetched_at + settings.ttl;
  if (!negative) return by_age;
  const Millis jittered{static_cast<int64_t>(settings.negative_ttl.count() * (0.8 + 0.4 * random.Uniform()))};
  return std::min(by_age, fetched_at + jittered);
}

/// Notes that a refresh of the record failed.
inline void BackOff(const Record& record, const FreshnessSettings& settings, MonoTime now) {
  const uint8_t failures = record.refresh_failures.load(std::memory_order_relaxed);
  constexpr uint8_t kDoublingsMax = 20;
  const Millis delay =
      std::min(settings.retry_max, settings.retry_min * (int64_t{1} << std::min(failures, kDoublingsMax)));
  record.refresh_failures.store(static_cast<uint8_t>(std::min<int>(failures + 1, 255)), std::memory_order_relaxed);
  record.refresh_not_before_ms.store((now + delay).time_since_epoch().count(), std::memory_order_relaxed);
}

/// Notes that a refresh outlived the read budget and is still under way.
inline void HoldOff(const Record& record, const FreshnessSettings& settings, MonoTime now) {
  const int64_t until = (now + settings.retry_min).time_since_epoch().count();
  if (record.refresh_not_before_ms.load(std::memory_order_relaxed) < until) {
    record.refresh_not_before_ms.store(until, std::memory_order_relaxed);
  }
}

}  // namespace sidecar
