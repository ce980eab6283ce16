// Whether the change feed keeps records current, and since when.
// Source: design section 5 and 7, restated in docs/architecture.md ("freshness").
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "cache/record.h"
#include "domain/time.h"

namespace sidecar {

/// Written by the feed, read by every hit. Thread-safe; readers take no lock. A reader that
/// falls between two stores of one change sees a record as suspect for that moment.
class LiveCover {
 public:
  /// Changes are pushed from now on; what changed before may have been missed.
  void OnLive(MonoTime now) {
    Store(live_since_, now);
    Store(stale_before_, now);
    first_doubt_.store(INT64_MAX, std::memory_order_release);
    live_.store(true, std::memory_order_release);
  }

  /// Changes are missed from now on.
  void OnLost(MonoTime now) {
    live_.store(false, std::memory_order_release);
    Doubt(now);
  }

  /// Something was published to all customers, or everything is to be confirmed for another reason.
  void OnCatalog(MonoTime now) { Doubt(now); }

  bool live() const { return live_.load(std::memory_order_acquire); }

  /// Whether what is fetched from `start` on is kept current.
  bool Covers(MonoTime start) const { return live() && Ms(start) > Load(live_since_); }

  /// Records fetched at or before this instant may be out of date.
  MonoTime stale_before() const { return MonoTime(Millis(Load(stale_before_))); }

  /// Time since the record was last known to be current: 0 while the feed keeps it so. Never too short: of several
  /// doubts the first counts.
  Millis AgeOf(const Record& record, MonoTime now) const {
    const int64_t fetched = Ms(record.fetched_at());
    int64_t current_until = fetched;
    // Never live: int64 max. A record that is doubted for itself was so before all were.
    if (fetched > Load(live_since_) && !record.suspect.load(std::memory_order_relaxed)) {
      if (fetched > Load(stale_before_)) {
        if (live()) return Millis(0);
      } else if (const int64_t first = Load(first_doubt_); fetched <= first) {
        current_until = first;
      }
    }
    return std::max(Millis(0), Millis(Ms(now) - current_until));
  }

 private:
  void Doubt(MonoTime now) {
    int64_t none = INT64_MAX;
    first_doubt_.compare_exchange_strong(none, Ms(now), std::memory_order_acq_rel);  // before others read of it
    Store(stale_before_, now);
  }

  static int64_t Ms(MonoTime t) { return t.time_since_epoch().count(); }
  static int64_t Load(const std::atomic<int64_t>& at) { return at.load(std::memory_order_acquire); }
  static void Store(std::atomic<int64_t>& at, MonoTime t) { at.store(Ms(t), std::memory_order_release); }

  std::atomic<bool> live_{false};
  std::atomic<int64_t> live_since_{INT64_MAX};    // start of the latest cover; max: there was none
  std::atomic<int64_t> stale_before_{INT64_MIN};  // min: nothing is
  std::atomic<int64_t> first_doubt_{INT64_MAX};   // since the latest cover began; max: none
};

}  // namespace sidecar
