#include "core/snapshot.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace sidecar {
namespace {

/// Places of the cache per step: some tens of records, well under a millisecond under a guard.
constexpr size_t kPlacesPerStep = 64;

/// A restore leaves this share of the cache free: hash tables grow too, and the first fetches
/// should not evict what was just restored.
constexpr size_t kFreeShare = 32;

/// Reads the cache step by step.
class EntryReader {
 public:
  EntryReader(const EntitlementCache& cache, const Clock& clock, const AgeOfRecord& age_of)
      : cache_(cache), clock_(clock), age_of_(age_of) {}

  const SnapshotEntry* Next() {
    while (next_ == step_.size()) {
      if (!more_) return nullptr;
      ReadStep();
    }
    return &step_[next_++];
  }

 private:
  void ReadStep() {
    step_.clear();
    next_ = 0;
    const EpochDomain::Guard guard(cache_.epochs());
    more_ = cache_.Walk(position_, kPlacesPerStep, [this](const Record& record) { Add(record); });
  }

  void Add(const Record& record) {
    const MonoTime now = clock_.Now();
    const WallTime wall_now = clock_.WallNow();
    SnapshotEntry& entry = step_.emplace_back();
    entry.key = EntityKey(record.key());
    entry.entitlements = record.ToValue();
    entry.fetched_at = record.fetched_at_wall();
    entry.current_at = wall_now - age_of_(record, now);
    if (record.changed_at().has_value()) entry.changed_at = wall_now - (now - *record.changed_at());
    entry.hot = record.visited.load(std::memory_order_relaxed);
  }

  const EntitlementCache& cache_;
  const Clock& clock_;
  const AgeOfRecord& age_of_;
  EntitlementCache::WalkPosition position_;
  std::vector<SnapshotEntry> step_;
  size_t next_ = 0;
  bool more_ = true;
};

/// The hottest keys of all that were added: used ones first, then by date. Without a feed a
/// record that is used is fetched again and again, so the date tells how lately it was used.
class HottestKeys {
 public:
  void Add(const SnapshotEntry& entry) {
    if (heap_.size() == kRestoredKeysMax) {
      if (!Hotter(entry, heap_.front())) return;
      std::pop_heap(heap_.begin(), heap_.end(), kHotterFirst);
      heap_.pop_back();
    }
    heap_.push_back({entry.hot, entry.current_at, entry.key});
    std::push_heap(heap_.begin(), heap_.end(), kHotterFirst);
  }

  std::vector<EntityKey> Take() && {
    std::sort_heap(heap_.begin(), heap_.end(), kHotterFirst);
    std::vector<EntityKey> keys;
    keys.reserve(heap_.size());
    for (Ranked& ranked : heap_) keys.push_back(std::move(ranked.key));
    return keys;
  }

 private:
  struct Ranked {
    bool hot;
    WallTime current_at;
    EntityKey key;
  };

  template <typename A, typename B>
  static bool Hotter(const A& a, const B& b) {
    return std::tie(a.hot, a.current_at) > std::tie(b.hot, b.current_at);
  }
  static constexpr auto kHotterFirst = [](const Ranked& a, const Ranked& b) { return Hotter(a, b); };

  std::vector<Ranked> heap_;  // the coldest is in front
};

/// Puts entries into the cache.
class Restorer {
 public:
  Restorer(EntitlementCache& cache, const Clock& clock, RestoredSnapshot& out)
      : cache_(cache), out_(out), now_(clock.Now()), wall_now_(clock.WallNow()) {}

  /// False when the cache is full.
  bool Add(const SnapshotEntry& entry) {
    const EntityKeyView key = entry.key.view();
    RecordPtr record = Record::Build(key, entry.entitlements, StampOf(entry), cache_.definitions());
    if (record == nullptr) return true;  // of a build with a larger record format
    const size_t room = cache_.limit_bytes() - cache_.limit_bytes() / kFreeShare;
    if (cache_.stats().bytes + record->allocated_bytes() > room) {
      out_.cache_full = true;
      return false;
    }
    record->visited.store(entry.hot, std::memory_order_relaxed);
    record->suspect.store(true, std::memory_order_relaxed);
    const EpochDomain::Guard guard(cache_.epochs());
    const EntitlementCache::Outcome outcome = cache_.Update(
        key, [&](const Record* held) -> RecordPtr { return held == nullptr ? std::move(record) : RecordPtr(); });
    if (!outcome.stored) return true;
    ++out_.records;
    hottest_.Add(entry);
    return true;
  }

  void Finish() { out_.hottest = std::move(hottest_).Take(); }

 private:
  /// The instant `at` in this process's time. A date in the future (the clock was set back
  /// since) is taken for now.
  MonoTime MonoOf(WallTime at) const { return now_ - std::max(Millis(0), wall_now_ - at); }

  RecordStamp StampOf(const SnapshotEntry& entry) const {
    RecordStamp stamp{.origin = RecordOrigin::kSnapshot,
                      .fetched_at = MonoOf(entry.current_at),
                      .fetched_at_wall = std::min(entry.fetched_at, wall_now_),
                      .suspect_at = now_};
    if (entry.changed_at.has_value()) stamp.changed_at = MonoOf(*entry.changed_at);
    return stamp;
  }

  EntitlementCache& cache_;
  RestoredSnapshot& out_;
  const MonoTime now_;
  const WallTime wall_now_;
  HottestKeys hottest_;
};

}  // namespace

absl::StatusOr<SnapshotSize> WriteSnapshot(const EntitlementCache& cache, const Clock& clock, const AgeOfRecord& age_of,
                                           SnapshotStore& store, SnapshotStore::KeepGoing keep_going) {
  EntryReader reader(cache, clock, age_of);
  return store.Write([&] { return reader.Next(); }, keep_going);
}

absl::Status RestoreSnapshot(EntitlementCache& cache, const Clock& clock, SnapshotStore& store,
                             RestoredSnapshot& restored) {
  Restorer restorer(cache, clock, restored);
  absl::Status status = store.Read([&](const SnapshotEntry& entry) { return restorer.Add(entry); });
  restorer.Finish();
  return status;
}

}  // namespace sidecar
