#include "cache/entitlement_cache.h"

#include <algorithm>
#include <utility>

#include "cache/key_hash.h"
#include "cache/row_hint.h"

namespace sidecar {
namespace {

constexpr size_t kFirstTableCapacity = 16;

/// A record larger than this share of the limit would drive out too many others.
constexpr size_t kOversizeShare = 8;

}  // namespace

EntitlementCache::EntitlementCache(const Options& options, EpochDomain& epochs, Definitions& definitions)
    : limit_bytes_(options.limit_bytes), epochs_(epochs), definitions_(definitions), shards_(options.shards) {
  for (Shard& shard : shards_) {
    auto table = std::make_unique<RecordTable>(kFirstTableCapacity);
    bytes_ += table->bytes();
    shard.table.store(table.release(), std::memory_order_release);
  }
}

EntitlementCache::~EntitlementCache() {
  epochs_.Collect();
  for (Shard& shard : shards_) {
    const std::unique_ptr<RecordTable> table(shard.table.load());
    table->ForEach([&](Record* record) { RecordDeleter{&definitions_}(record); });
  }
}

const Record* EntitlementCache::Find(EntityKeyView key, std::string_view feature_id) const {
  const uint64_t hash = HashKey(key);
  const Shard& shard = shards_[ShardIndex(hash)];
  const Record* const record =
      shard.table.load(std::memory_order_acquire)->Find(key, hash, RowHints::Guess(RecordTag(feature_id)));
  if (record != nullptr && !record->visited.load(std::memory_order_relaxed)) {
    record->visited.store(true, std::memory_order_relaxed);
  }
  return record;
}

EntitlementCache::Outcome EntitlementCache::Update(EntityKeyView key,
                                                   absl::FunctionRef<RecordPtr(const Record*)> edit) {
  const uint64_t hash = HashKey(key);
  const size_t shard_index = ShardIndex(hash);
  Shard& shard = shards_[shard_index];
  Outcome outcome;
  {
    absl::MutexLock lock(&shard.mu);
    Record* const before = shard.table.load(std::memory_order_relaxed)->Find(key, hash);
    RecordPtr after = edit(before);
    if (after == nullptr) {
      outcome.current = before;
      return outcome;
    }
    outcome.current = after.get();
    if (after->allocated_bytes() > limit_bytes_ / kOversizeShare) {
      oversize_.fetch_add(1, std::memory_order_relaxed);
      if (before != nullptr) Unlink(shard, before, hash);
      outcome.oversize = std::move(after);
      return outcome;
    }
    outcome.stored = true;
    if (before == nullptr) {
      Insert(shard, std::move(after), hash);
    } else {
      Record* const replacement = after.release();
      bytes_.fetch_add(replacement->allocated_bytes(), std::memory_order_relaxed);
      shard.sieve.Replace(before, replacement);
      shard.table.load(std::memory_order_relaxed)->Replace(before, replacement, hash);
      RetireRecord(before);
    }
  }
  EvictDownTo(limit_bytes_, shard_index);
  return outcome;
}

bool EntitlementCache::Erase(EntityKeyView key) {
  const uint64_t hash = HashKey(key);
  Shard& shard = shards_[ShardIndex(hash)];
  absl::MutexLock lock(&shard.mu);
  Record* const record = shard.table.load(std::memory_order_relaxed)->Find(key, hash);
  if (record == nullptr) return false;
  Unlink(shard, record, hash);
  return true;
}

bool EntitlementCache::Walk(WalkPosition& at, size_t slots, absl::FunctionRef<void(const Record&)> visit) const {
  if (at.shard == shards_.size()) return false;
  const RecordTable& table = *shards_[at.shard].table.load(std::memory_order_acquire);
  if (table.number() != at.table) {
    // The shard's first part, or its records have other places now.
    at.slot = 0;
    at.table = table.number();
  }
  const size_t end = std::min(at.slot + slots, table.capacity());
  for (; at.slot < end; ++at.slot) {
    if (const Record* const record = table.At(at.slot)) visit(*record);
  }
  if (at.slot >= table.capacity()) at = {.shard = at.shard + 1};
  return at.shard < shards_.size();
}

void EntitlementCache::Insert(Shard& shard, RecordPtr record, uint64_t hash) {
  if (shard.table.load(std::memory_order_relaxed)->Full()) Rehash(shard);
  Record* const inserted = record.release();
  bytes_.fetch_add(inserted->allocated_bytes(), std::memory_order_relaxed);
  entries_.fetch_add(1, std::memory_order_relaxed);
  shard.sieve.PushNewest(inserted);
  shard.table.load(std::memory_order_relaxed)->Insert(inserted, hash);
}

void EntitlementCache::Unlink(Shard& shard, Record* record, uint64_t hash) {
  shard.table.load(std::memory_order_relaxed)->Remove(record, hash);
  shard.sieve.Remove(record);
  entries_.fetch_sub(1, std::memory_order_relaxed);
  RetireRecord(record);
}

void EntitlementCache::RetireRecord(Record* record) {
  const size_t bytes = record->allocated_bytes();
  bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  epochs_.Retire(bytes, [record, definitions = &definitions_] { RecordDeleter{definitions}(record); });
}

void EntitlementCache::Rehash(Shard& shard) {
  RecordTable* const old_table = shard.table.load(std::memory_order_relaxed);
  // Room for half as many again; the same size when most slots held removed records.
  size_t capacity = kFirstTableCapacity;
  while (capacity * 2 < (old_table->live() + 1) * 4) capacity *= 2;
  auto table = std::make_unique<RecordTable>(capacity);
  old_table->ForEach([&](Record* record) { table->Insert(record, HashKey(record->key())); });
  bytes_.fetch_add(table->bytes(), std::memory_order_relaxed);
  bytes_.fetch_sub(old_table->bytes(), std::memory_order_relaxed);
  shard.table.store(table.release(), std::memory_order_release);
  epochs_.Retire(old_table->bytes(), [old_table] { delete old_table; });
}

bool EntitlementCache::EvictOne(Shard& shard) {
  absl::MutexLock lock(&shard.mu);
  Record* const victim = shard.sieve.Victim();
  if (victim == nullptr) return false;
  Unlink(shard, victim, HashKey(victim->key()));
  evictions_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

void EntitlementCache::EvictDownTo(size_t bytes, size_t first_shard) {
  // The shard that grew pays first; the others only when it has nothing left.
  for (size_t i = 0; i < shards_.size() && used_bytes() > bytes; ++i) {
    Shard& shard = shards_[(first_shard + i) & (shards_.size() - 1)];
    while (used_bytes() > bytes && EvictOne(shard)) {
    }
  }
}

EntitlementCache::Stats EntitlementCache::stats() const {
  return {.entries = entries_.load(std::memory_order_relaxed),
          .bytes = used_bytes(),
          .retired_bytes = epochs_.retired_bytes(),
          .evictions = evictions_.load(std::memory_order_relaxed),
          .oversize = oversize_.load(std::memory_order_relaxed)};
}

}  // namespace sidecar
