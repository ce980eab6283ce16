// Hash table of one cache shard: open addressing, read without locks, written under the
// shard's lock.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "cache/record.h"

namespace sidecar {

/// Slots of 64 bits: a record's address in the low 48, 16 bits of its hash above, so that a
/// probe of the wrong record seldom leaves the cache line. A fixed size; the owner replaces
/// a full table by a larger one.
///
/// Find may run at any time under an EpochDomain::Guard. All else: under the owner's lock.
class RecordTable {
 public:
  /// `capacity` is a power of two, at least 2.
  explicit RecordTable(size_t capacity);

  /// The record with this key, or nullptr. `hash` is HashKey(key). Row `row_hint` of it is
  /// loaded on the way.
  Record* Find(EntityKeyView key, uint64_t hash, size_t row_hint = 0) const;

  /// Room for one more record must exist: !Full(). The key must not be present.
  void Insert(Record* record, uint64_t hash);
  void Replace(const Record* record, Record* replacement, uint64_t hash);
  void Remove(const Record* record, uint64_t hash);

  /// True when an insert must be preceded by a larger (or cleaned) table.
  bool Full() const { return (used_ + 1) * 4 > capacity() * 3; }
  size_t live() const { return live_; }
  size_t capacity() const { return mask_ + 1; }
  /// Tells this table from every other of the process, also from one at the same address.
  uint64_t number() const { return number_; }
  size_t bytes() const { return capacity() * sizeof(uint64_t) + sizeof(*this); }

  /// The record in a slot below capacity(), or nullptr. Like Find: at any time under a Guard.
  Record* At(size_t slot) const { return Address(slots_[slot].load(std::memory_order_acquire)); }

  /// Calls fn(Record*) for every record.
  template <typename Fn>
  void ForEach(Fn fn) const {
    for (size_t i = 0; i <= mask_; ++i) {
      if (Record* record = Address(slots_[i].load(std::memory_order_relaxed))) fn(record);
    }
  }

 private:
  static constexpr uint64_t kAddressMask = (uint64_t{1} << 48) - 1;
  static constexpr uint64_t kEmpty = 0;
  static constexpr uint64_t kRemoved = 1;

  static Record* Address(uint64_t slot) {
    const uint64_t address = slot & kAddressMask;
    return address <= kRemoved ? nullptr : reinterpret_cast<Record*>(address);
  }
  static uint64_t Tagged(const Record* record, uint64_t hash) {
    return reinterpret_cast<uint64_t>(record) | (hash & ~kAddressMask);
  }
  std::atomic<uint64_t>& SlotOf(const Record* record, uint64_t hash);

  const size_t mask_;
  const uint64_t number_;
  size_t used_ = 0;  // live and removed
  size_t live_ = 0;
  std::unique_ptr<std::atomic<uint64_t>[]> slots_;
};

}  // namespace sidecar
