#include "core/spool_lanes.h"

#include <algorithm>
#include <utility>

namespace sidecar {

struct SpoolLanes::Lane {
  struct Entry {
    uint64_t sequence;
    uint64_t bytes;
    MonoTime expires;
  };

  SpoolKind kind;
  std::string customer_id;
  // A queue of one vector: most lanes are short, and there may be as many as records.
  std::vector<Entry> entries{};
  size_t first = 0;
  bool busy = false;
  int chokes = 0;  // in a row

  bool alone() const { return chokes >= kAloneAfter; }
  bool empty() const { return first == entries.size(); }
  const Entry& front() const { return entries[first]; }
  void PopFront() {
    ++first;
    // Amortised: at least half of what is moved over is gone.
    if (first * 2 > entries.size()) {
      entries.erase(entries.begin(), entries.begin() + static_cast<ptrdiff_t>(first));
      first = 0;
    }
  }
};

SpoolLanes::SpoolLanes(const Limits& limits) : limits_(limits) {
  Of(SpoolKind::kUsage).items_max = limits.usages_max;
  Of(SpoolKind::kEvent).items_max = limits.events_max;
}

SpoolLanes::~SpoolLanes() = default;

void SpoolLanes::Add(const SpoolEntry& entry, MonoTime expires) {
  auto& of_kind = Of(entry.kind);
  std::unique_ptr<Lane>& lane = of_kind.lanes[entry.customer_id];
  if (lane == nullptr) lane = std::make_unique<Lane>(Lane{.kind = entry.kind, .customer_id = entry.customer_id});
  if (lane->empty() && !lane->busy) of_kind.ready.push_back(lane.get());
  lane->entries.push_back({entry.sequence, entry.bytes, expires});
  ++records_;
  bytes_ += entry.bytes;
}

bool SpoolLanes::Holds(SpoolKind kind, std::string_view customer_id) const {
  return kinds_[static_cast<size_t>(kind)].lanes.contains(std::string(customer_id));
}

size_t SpoolLanes::Fitting(const Lane& lane, size_t items, uint64_t bytes) const {
  size_t size = 0;
  for (size_t i = lane.first; i < lane.entries.size(); ++i) {
    const Lane::Entry& entry = lane.entries[i];
    if (items + size == kinds_[static_cast<size_t>(lane.kind)].items_max) break;
    // A record beyond the bound all by itself still has to go some time.
    if (bytes + entry.bytes > limits_.bytes_max && items + size > 0) break;
    bytes += entry.bytes;
    ++size;
    if (lane.alone()) break;
  }
  return size;
}

std::optional<SpoolLanes::Batch> SpoolLanes::Take() {
  const SpoolKind other = next_kind_ == SpoolKind::kUsage ? SpoolKind::kEvent : SpoolKind::kUsage;
  Batch batch{.kind = Of(next_kind_).ready.empty() ? other : next_kind_};
  std::deque<Lane*>& ready = Of(batch.kind).ready;
  uint64_t bytes = 0;
  while (!ready.empty()) {
    Lane& lane = *ready.front();
    const bool alone = lane.alone();
    if (alone && !batch.runs.empty()) break;
    const size_t size = Fitting(lane, batch.sequences.size(), bytes);
    if (size == 0) break;
    for (size_t i = 0; i < size; ++i) {
      const Lane::Entry& entry = lane.entries[lane.first + i];
      batch.sequences.push_back(entry.sequence);
      bytes += entry.bytes;
    }
    lane.busy = true;
    batch.runs.push_back({&lane, size});
    ready.pop_front();
    if (alone) break;
  }
  if (batch.runs.empty()) return std::nullopt;
  next_kind_ = batch.kind == SpoolKind::kUsage ? SpoolKind::kEvent : SpoolKind::kUsage;
  return batch;
}

void SpoolLanes::Settle(const Batch& batch, size_t handled, bool choked) {
  for (const Batch::Run& run : batch.runs) {
    Lane& lane = *run.lane;
    const size_t gone = std::min(run.size, handled);
    handled -= gone;
    for (size_t i = 0; i < gone; ++i) PopFront(lane);
    if (gone > 0) lane.chokes = 0;
    if (gone < run.size && choked) ++lane.chokes;
    lane.busy = false;
    Release(lane);
  }
}

std::vector<uint64_t> SpoolLanes::TakeExpired(MonoTime now) {
  std::vector<uint64_t> expired;
  for (KindOfLanes& of_kind : kinds_) {
    std::vector<std::string> emptied;
    for (const auto& [customer_id, lane] : of_kind.lanes) {
      if (lane->busy) continue;
      while (!lane->empty() && lane->front().expires <= now) {
        expired.push_back(lane->front().sequence);
        PopFront(*lane);
      }
      if (lane->empty()) emptied.push_back(customer_id);
    }
    std::erase_if(of_kind.ready, [](const Lane* lane) { return lane->empty(); });
    for (const std::string& customer_id : emptied) of_kind.lanes.erase(customer_id);
  }
  std::sort(expired.begin(), expired.end());
  return expired;
}

void SpoolLanes::PopFront(Lane& lane) {
  --records_;
  bytes_ -= lane.front().bytes;
  lane.PopFront();
}

void SpoolLanes::Release(Lane& lane) {
  KindOfLanes& of_kind = Of(lane.kind);
  if (lane.empty()) {
    of_kind.lanes.erase(of_kind.lanes.find(lane.customer_id));
  } else {
    of_kind.ready.push_back(&lane);
  }
}

}  // namespace sidecar
