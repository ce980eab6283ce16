// The in-memory cache: what every hit is answered from.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/synchronization/mutex.h"
#include "cache/epoch.h"
#include "cache/record.h"
#include "cache/record_table.h"
#include "cache/sieve.h"

namespace sidecar {

/// Records by key, bounded in real bytes (allocator overhead, hash tables and definitions
/// included), evicted by SIEVE. Records never leave for their age.
///
/// Readers take no lock: they hold an EpochDomain::Guard while they look at a record.
/// Writers lock one shard. Thread-safe.
///
/// Lifetimes: `definitions` outlives `epochs`, which outlives the cache (what is retired
/// gives its definitions back when it is freed).
class EntitlementCache {
 public:
  struct Options {
    size_t limit_bytes = 64 << 20;
    /// Power of two. Writers to different shards do not wait for each other.
    size_t shards = 64;
  };

  struct Stats {
    size_t entries = 0;
    size_t bytes = 0;          ///< records, tables and definitions
    size_t retired_bytes = 0;  ///< unlinked, waiting for readers to move on
    uint64_t evictions = 0;
    uint64_t oversize = 0;  ///< records refused because they alone were too large
  };

  EntitlementCache(const Options& options, EpochDomain& epochs, Definitions& definitions);
  /// No Guard may be alive.
  ~EntitlementCache();

  /// The record with this key, or nullptr; marks it as used. The pointer is valid while the
  /// caller's Guard on epochs() lives.
  const Record* Find(EntityKeyView key) const { return Find(key, ""); }
  /// The same, when one feature will be looked for in it.
  const Record* Find(EntityKeyView key, std::string_view feature_id) const;

  /// What Update left behind.
  struct Outcome {
    /// The record now in the cache, or the one that was too large for it; nullptr if none.
    /// Valid while the caller's Guard lives (and, if `oversize` is set, while that lives).
    const Record* current = nullptr;
    bool stored = false;
    RecordPtr oversize;
  };

  /// The only way in. Calls `edit` with the current record (nullptr if there is none) under
  /// the shard's lock; the record it returns takes the place, nullptr leaves things as they
  /// are. A record of more than an eighth of the limit is not stored, and what it would have
  /// replaced is dropped. `edit` must not call the cache.
  Outcome Update(EntityKeyView key, absl::FunctionRef<RecordPtr(const Record*)> edit);

  /// Drops one record; false when there was none.
  bool Erase(EntityKeyView key);

  /// How far a walk over all records has come. A walk begins with a new one.
  struct WalkPosition {
    size_t shard = 0;
    size_t slot = 0;
    uint64_t table = 0;  // number of the hash table that `slot` is a place in
  };

  /// Calls `visit` for the records in the next `slots` places of the cache, in no order: what
  /// eviction knows of their use is Record::visited. False when the walk is over. Takes no
  /// lock, so that neither readers nor writers ever wait for a walk; the caller holds a Guard
  /// on epochs() during the call and lets go of it in between. A record that is there for the
  /// whole walk is visited; twice, perhaps, when its shard grew meanwhile.
  bool Walk(WalkPosition& at, size_t slots, absl::FunctionRef<void(const Record&)> visit) const;

  Stats stats() const;
  size_t limit_bytes() const { return limit_bytes_; }
  EpochDomain& epochs() const { return epochs_; }
  Definitions& definitions() const { return definitions_; }

 private:
  struct alignas(64) Shard {
    std::atomic<RecordTable*> table{nullptr};
    mutable absl::Mutex mu;
    SieveList sieve ABSL_GUARDED_BY(mu);
  };

  /// High bits choose the shard: the low ones choose the slot, the highest are the tag.
  size_t ShardIndex(uint64_t hash) const { return (hash >> 32) & (shards_.size() - 1); }

  void Insert(Shard& shard, RecordPtr record, uint64_t hash) ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mu);
  void Unlink(Shard& shard, Record* record, uint64_t hash) ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mu);
  void Rehash(Shard& shard) ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mu);
  bool EvictOne(Shard& shard) ABSL_LOCKS_EXCLUDED(shard.mu);
  void EvictDownTo(size_t bytes, size_t first_shard);
  void RetireRecord(Record* record);
  size_t used_bytes() const { return bytes_.load(std::memory_order_relaxed) + definitions_.bytes(); }

  const size_t limit_bytes_;
  EpochDomain& epochs_;
  Definitions& definitions_;
  std::vector<Shard> shards_;
  std::atomic<size_t> bytes_{0};
  std::atomic<size_t> entries_{0};
  std::atomic<uint64_t> evictions_{0};
  std::atomic<uint64_t> oversize_{0};
};

}  // namespace sidecar
