// Which spooled records go upstream next: one lane a customer and kind, first in first out.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "ports/spool_store.h"

namespace sidecar {

/// Not thread-safe: belongs to Spool, under its lock.
class SpoolLanes {
 public:
  struct Limits {
    size_t usages_max = UsageSink::kUsagesPerCallMax;
    size_t events_max = UsageSink::kEventsPerCallMax;
    uint64_t bytes_max = 512 << 10;  ///< bounds the request's body, and the time to encode it
  };

  /// After this many failures in a row that may be its own doing, a lane travels alone and
  /// one record at a time: a record that upstream chokes on holds up no other customer.
  static constexpr int kAloneAfter = 3;

  struct Lane;
  /// Records for one call, of one kind: the heads of some lanes, which are busy until Settle.
  struct Batch {
    SpoolKind kind = SpoolKind::kUsage;
    std::vector<uint64_t> sequences;
    struct Run {
      Lane* lane;
      size_t size;
    };
    std::vector<Run> runs;  ///< in the order of `sequences`
  };

  explicit SpoolLanes(const Limits& limits);
  ~SpoolLanes();

  /// Puts a record at the end of its lane. `expires`: when it is too old.
  void Add(const SpoolEntry& entry, MonoTime expires);

  bool Holds(SpoolKind kind, std::string_view customer_id) const;

  /// The next batch; nullopt when no lane is ready. Lanes take turns, and so do the kinds.
  std::optional<Batch> Take();

  /// Ends a batch of which the first `handled` records are gone. `choked`: upstream failed
  /// over the record after them in a way that may be the record's doing.
  void Settle(const Batch& batch, size_t handled, bool choked);

  /// Removes the records that expired by `now`, but for those of busy lanes.
  std::vector<uint64_t> TakeExpired(MonoTime now);

  size_t records() const { return records_; }
  uint64_t bytes() const { return bytes_; }

 private:
  struct KindOfLanes {
    size_t items_max = 0;
    absl::flat_hash_map<std::string, std::unique_ptr<Lane>> lanes;
    std::deque<Lane*> ready;
  };

  KindOfLanes& Of(SpoolKind kind) { return kinds_[static_cast<size_t>(kind)]; }
  /// Heads of `lane` that still fit.
  size_t Fitting(const Lane& lane, size_t items, uint64_t bytes) const;
  void PopFront(Lane& lane);
  /// Puts a lane that is not busy back in line, or forgets it when it is empty.
  void Release(Lane& lane);

  const Limits limits_;
  std::array<KindOfLanes, 2> kinds_;
  SpoolKind next_kind_ = SpoolKind::kUsage;
  size_t records_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace sidecar
