#include "cache/record_table.h"

namespace sidecar {
namespace {

uint64_t NextNumber() {
  static std::atomic<uint64_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

RecordTable::RecordTable(size_t capacity)
    : mask_(capacity - 1), number_(NextNumber()), slots_(new std::atomic<uint64_t>[capacity]) {
  for (size_t i = 0; i < capacity; ++i) slots_[i].store(kEmpty, std::memory_order_relaxed);
}

Record* RecordTable::Find(EntityKeyView key, uint64_t hash, size_t row_hint) const {
  for (size_t i = hash & mask_;; i = (i + 1) & mask_) {
    const uint64_t slot = slots_[i].load(std::memory_order_acquire);
    if (slot == kEmpty) return nullptr;
    if ((slot ^ hash) & ~kAddressMask) continue;
    Record* const record = Address(slot);
    if (record == nullptr) continue;
    record->Prefetch(row_hint);
    if (record->KeyEquals(key)) return record;
  }
}

std::atomic<uint64_t>& RecordTable::SlotOf(const Record* record, uint64_t hash) {
  const uint64_t wanted = Tagged(record, hash);
  size_t i = hash & mask_;
  while (slots_[i].load(std::memory_order_relaxed) != wanted) i = (i + 1) & mask_;
  return slots_[i];
}

void RecordTable::Insert(Record* record, uint64_t hash) {
  size_t i = hash & mask_;
  while (Address(slots_[i].load(std::memory_order_relaxed)) != nullptr) i = (i + 1) & mask_;
  if (slots_[i].load(std::memory_order_relaxed) == kEmpty) ++used_;
  ++live_;
  slots_[i].store(Tagged(record, hash), std::memory_order_release);
}

void RecordTable::Replace(const Record* record, Record* replacement, uint64_t hash) {
  SlotOf(record, hash).store(Tagged(replacement, hash), std::memory_order_release);
}

void RecordTable::Remove(const Record* record, uint64_t hash) {
  --live_;
  SlotOf(record, hash).store(kRemoved, std::memory_order_release);
}

}  // namespace sidecar
