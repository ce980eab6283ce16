// SIEVE: which record to evict. A hit only sets a bit, so readers write nothing shared that
// is not already set; a scan of cold customers passes through without driving out hot ones.
// Choice and measurement: docs/adr/0002.
#pragma once

#include "cache/record.h"

namespace sidecar {

/// First-in-first-out list with a hand that moves from old to new, sparing what was visited
/// since it last passed. Not thread-safe: guarded by the owner's lock; only Record::visited
/// is written by others.
class SieveList {
 public:
  void PushNewest(Record* record) {
    record->newer = nullptr;
    record->older = newest_;
    if (newest_ != nullptr) newest_->newer = record;
    newest_ = record;
    if (oldest_ == nullptr) oldest_ = record;
  }

  void Remove(Record* record) {
    if (hand_ == record) hand_ = record->newer;
    (record->newer != nullptr ? record->newer->older : newest_) = record->older;
    (record->older != nullptr ? record->older->newer : oldest_) = record->newer;
    record->newer = record->older = nullptr;
  }

  /// Puts `replacement` into the place of `record`, with its visited bit.
  void Replace(Record* record, Record* replacement) {
    replacement->visited.store(record->visited.load(std::memory_order_relaxed), std::memory_order_relaxed);
    replacement->newer = record->newer;
    replacement->older = record->older;
    (record->newer != nullptr ? record->newer->older : newest_) = replacement;
    (record->older != nullptr ? record->older->newer : oldest_) = replacement;
    if (hand_ == record) hand_ = replacement;
    record->newer = record->older = nullptr;
  }

  /// The record to evict, still in the list; nullptr when the list is empty.
  Record* Victim() {
    Record* at = hand_ != nullptr ? hand_ : oldest_;
    while (at != nullptr && at->visited.load(std::memory_order_relaxed)) {
      at->visited.store(false, std::memory_order_relaxed);
      at = at->newer != nullptr ? at->newer : oldest_;
    }
    hand_ = at;
    return at;
  }

  Record* newest() const { return newest_; }

 private:
  Record* newest_ = nullptr;
  Record* oldest_ = nullptr;
  Record* hand_ = nullptr;  // nullptr: start at the oldest
};

}  // namespace sidecar
