// Entries as snapshots keep them, for tests: some, and random ones.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "ports/snapshot_store.h"
#include "support/builders.h"

namespace sidecar::testing {

inline constexpr auto kKeepGoing = [] { return true; };

/// Writes a list of entries.
inline absl::StatusOr<SnapshotSize> WriteAll(SnapshotStore& store, const std::vector<SnapshotEntry>& entries) {
  size_t next = 0;
  return store.Write([&]() -> const SnapshotEntry* { return next < entries.size() ? &entries[next++] : nullptr; },
                     kKeepGoing);
}

/// Reads whatever a store gives.
inline std::vector<SnapshotEntry> ReadAll(SnapshotStore& store, absl::Status& status) {
  std::vector<SnapshotEntry> entries;
  status = store.Read([&](const SnapshotEntry& entry) {
    entries.push_back(entry);
    return true;
  });
  return entries;
}

inline bool Same(const SnapshotEntry& a, const SnapshotEntry& b) {
  return a.key == b.key && a.entitlements == b.entitlements && a.fetched_at == b.fetched_at &&
         a.current_at == b.current_at && a.changed_at == b.changed_at && a.hot == b.hot;
}

/// Draws entries in which every member is sometimes set and sometimes not.
class RandomEntries {
 public:
  explicit RandomEntries(uint32_t seed) : random_(seed) {}

  SnapshotEntry Next() {
    SnapshotEntry entry;
    entry.key = EntityKey("customer-" + std::to_string(++count_) + Text(), Chance() ? "" : Text());
    entry.fetched_at = Time();
    entry.current_at = Time();
    if (Chance()) entry.changed_at = Time();
    entry.hot = Chance();
    CustomerEntitlements& value = entry.entitlements;
    value.denied_reason = Reason();
    value.updated_at = MaybeTime();
    for (size_t i = Below(6); i > 0; --i) value.features.push_back(Feature(i));
    for (size_t i = Below(3); i > 0; --i) value.credits.push_back(Credit(i));
    return entry;
  }

 private:
  size_t Below(size_t n) { return random_() % n; }
  bool Chance() { return Below(2) == 0; }
  double Number() { return Chance() ? static_cast<double>(Below(1000)) : (static_cast<double>(random_()) - 2e9) / 7; }
  WallTime Time() {
    return WallTimeFromEpochMs(kMinEpochMs + static_cast<int64_t>((uint64_t{random_()} << 32 | random_()) %
                                                                  static_cast<uint64_t>(kMaxEpochMs - kMinEpochMs)));
  }
  std::optional<WallTime> MaybeTime() { return Chance() ? std::optional(Time()) : std::nullopt; }
  DeniedReason Reason() { return static_cast<DeniedReason>(Below(15)); }
  std::string Text() {
    std::string text(Below(30), ' ');
    for (char& c : text) c = static_cast<char>(random_());  // any byte
    return text;
  }
  std::optional<std::string> MaybeText() { return Chance() ? std::optional(Text()) : std::nullopt; }

  FeatureEntitlement Feature(size_t number) {
    FeatureEntitlement feature;
    feature.feature = {.id = "feature-" + std::to_string(number),
                       .type = static_cast<FeatureType>(Below(4)),
                       .meter = static_cast<MeterType>(Below(4)),
                       .units = Text(),
                       .units_plural = Text()};
    feature.denied_reason = Reason();
    if (Chance()) feature.usage_limit = Number();
    feature.unlimited = Chance();
    feature.soft_limit = Chance();
    feature.current_usage = Number();
    for (size_t i = Below(4); i > 0; --i) feature.enum_values.push_back(Text());
    feature.period = {.reset = static_cast<ResetPeriod>(Below(6)),
                      .reset_anchor = static_cast<ResetAnchor>(Below(12)),
                      .anchor = MaybeTime(),
                      .start = MaybeTime(),
                      .end = MaybeTime()};
    if (Chance()) feature.credit_rate = {Number(), Text()};
    feature.valid_until = MaybeTime();
    feature.usage_updated_at = MaybeTime();
    return feature;
  }

  CreditEntitlement Credit(size_t number) {
    return {.currency = {.id = "credit-" + std::to_string(number),
                         .display_name = Text(),
                         .description = MaybeText(),
                         .unit_singular = MaybeText(),
                         .unit_plural = MaybeText(),
                         .additional_meta_data_json = Text()},
            .denied_reason = Reason(),
            .usage_limit = Number(),
            .current_usage = Number(),
            .soft_limit = Chance(),
            .usage_period_end = MaybeTime(),
            .valid_until = MaybeTime(),
            .usage_updated_at = MaybeTime()};
  }

  std::mt19937 random_;
  size_t count_ = 0;
};

}  // namespace sidecar::testing
