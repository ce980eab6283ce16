// The stored form of one customer's entitlements: one immutable block of memory, compact
// enough that a million customers fit beside an application.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "cache/definitions.h"
#include "domain/entitlement.h"
#include "domain/entity_key.h"
#include "domain/time.h"
#include "domain/views.h"

namespace sidecar {

class Record;

/// Frees a record and gives its definitions back.
struct RecordDeleter {
  Definitions* definitions = nullptr;
  void operator()(Record* record) const;
};
using RecordPtr = std::unique_ptr<Record, RecordDeleter>;

/// Where a record came from; shown to callers as x-entitlement-source while it is new.
enum class RecordOrigin : uint8_t { kUpstream, kRedis, kSnapshot };

/// When and how a record was obtained.
struct RecordStamp {
  RecordOrigin origin = RecordOrigin::kUpstream;
  MonoTime fetched_at{};                  ///< start of the fetch, or arrival of the push
  WallTime fetched_at_wall{};             ///< the same instant
  MonoTime suspect_at = MonoTime::max();  ///< from then on the record wants a refresh
  /// When the record was last changed by something other than a fetch (acknowledged usage).
  std::optional<MonoTime> changed_at;
};

/// One customer's entitlements. The entitlements never change after Build; a change makes a
/// new record. Only the few refresh atomics are written while the record is shared.
///
/// Memory: header, key, one byte of tag and 52 bytes a feature, 44 a credit, and a side area
/// for rare members (enum values, credit rates, validUntil). Definitions are shared. Rows
/// lie before the header, so that the place of a row follows from the record's address alone.
///
/// Thread-safe to read. Owned by a RecordPtr, then by the cache, which frees it when no
/// reader's epoch can see it any more.
class Record {
 public:
  /// nullptr when the entitlements do not fit the format: more than 65,535 features or
  /// credits, a key part or a text over 65,535 bytes, or 16 MiB of side data.
  static RecordPtr Build(EntityKeyView key, const CustomerEntitlements& entitlements, const RecordStamp& stamp,
                         Definitions& definitions);

  /// Starts loading header, key, tags and the row that the feature probably has: one wait
  /// for memory instead of four. Never faults, whatever the index. Always inlined: GCC takes a
  /// function that only prefetches for one without effect and drops the call.
  [[gnu::always_inline]] void Prefetch(size_t row_index) const {
    constexpr size_t kCacheLine = 64;
    for (size_t line = 0; line < 3; ++line) __builtin_prefetch(after_header() - sizeof(Record) + line * kCacheLine);
    __builtin_prefetch(feature_row(row_index));
    __builtin_prefetch(feature_row(row_index) + kFeatureRowBytes - 1);
  }

  EntityKeyView key() const {
    return {std::string_view(key_bytes(), customer_len_), std::string_view(key_bytes() + customer_len_, resource_len_)};
  }
  bool KeyEquals(const EntityKeyView& other) const { return key() == other; }

  DeniedReason denied_reason() const { return denied_reason_; }
  std::optional<WallTime> updated_at() const;
  RecordOrigin origin() const { return origin_; }
  MonoTime fetched_at() const { return fetched_at_; }
  WallTime fetched_at_wall() const { return fetched_at_wall_; }
  MonoTime suspect_at() const { return suspect_at_; }
  std::optional<MonoTime> changed_at() const;
  RecordStamp stamp() const;

  bool empty() const { return feature_count_ == 0 && credit_count_ == 0; }
  size_t feature_count() const { return feature_count_; }
  size_t credit_count() const { return credit_count_; }

  /// Index of the feature or credit with that id, or -1.
  int FindFeature(std::string_view id) const;
  int FindCredit(std::string_view id) const;

  /// Views into this record. `index` is below the respective count.
  void ReadFeature(size_t index, FeatureView& out) const;
  void ReadCredit(size_t index, CreditView& out) const;
  /// When upstream last counted usage of the feature, by its clock.
  std::optional<WallTime> UsageUpdatedAt(size_t index) const;

  /// Whether any entitlement's validUntil passed between the fetch and `now`.
  bool AnyExpired(WallTime now) const;

  /// The owned form again: what Build was given, duplicates and unknown members aside.
  CustomerEntitlements ToValue() const;

  /// Heap bytes of the block, allocator overhead included.
  size_t allocated_bytes() const;

  // --- Written while shared, all with relaxed order: hints, never correctness. ---

  /// Recency bit of the eviction policy.
  mutable std::atomic<bool> visited{false};
  /// Something said that the record may be out of date (docs/architecture.md, freshness).
  mutable std::atomic<bool> suspect{false};
  /// Refreshes that failed in a row, for the back-off; saturates.
  mutable std::atomic<uint8_t> refresh_failures{0};

 private:
  // Here, where they fill what alignment would leave empty: a million records are kept.
  DeniedReason denied_reason_ = DeniedReason::kNone;
  RecordOrigin origin_ = RecordOrigin::kUpstream;

 public:
  /// No refresh is asked for before this instant (ms of MonoTime).
  mutable std::atomic<int64_t> refresh_not_before_ms{INT64_MIN};

  /// Takes over the hints above (all but `visited`) from the record that this one amends.
  void TakeRefreshState(const Record& from);

  // --- Owned by the cache, guarded by its shard's lock. ---
  Record* newer = nullptr;
  Record* older = nullptr;

 private:
  friend struct RecordDeleter;
  friend class RecordWriter;

  Record() = default;

  static constexpr size_t kFeatureRowBytes = 52;
  static constexpr size_t kCreditRowBytes = 44;

  /// Bytes of all rows, rounded up so that the header behind them is aligned.
  static size_t RowBytes(size_t features, size_t credits) {
    return (features * kFeatureRowBytes + credits * kCreditRowBytes + alignof(Record) - 1) & ~(alignof(Record) - 1);
  }

  const char* after_header() const { return reinterpret_cast<const char*>(this) + sizeof(Record); }
  const char* before_header() const { return reinterpret_cast<const char*>(this); }
  const char* block() const { return before_header() - RowBytes(feature_count_, credit_count_); }
  const char* key_bytes() const { return after_header(); }
  const uint8_t* tags() const { return reinterpret_cast<const uint8_t*>(key_bytes() + customer_len_ + resource_len_); }
  const char* feature_row(size_t index) const { return before_header() - (index + 1) * kFeatureRowBytes; }
  const char* credit_row(size_t index) const {
    return before_header() - feature_count_ * kFeatureRowBytes - (index + 1) * kCreditRowBytes;
  }
  const char* side(uint32_t offset) const { return reinterpret_cast<const char*>(tags()) + feature_count_ + offset; }

  MonoTime fetched_at_;
  WallTime fetched_at_wall_;
  MonoTime suspect_at_;
  MonoTime changed_at_ = MonoTime::min();  // min: never
  int64_t updated_at_ms_ = 0;
  uint16_t customer_len_ = 0;
  uint16_t resource_len_ = 0;
  uint16_t feature_count_ = 0;
  uint16_t credit_count_ = 0;
};
static_assert(sizeof(Record) == 80);

}  // namespace sidecar
