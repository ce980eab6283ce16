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
  std::deque<Entry> entries;
  bool busy = false;
  int chokes = 0;  // in a row

  bool alone() const { return chokes >= kAloneAfter; }
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
  if (lane->entries.empty() && !lane->busy) of_kind.ready.push_back(lane.get());
  lane->entries.push_back({entry.sequence, entry.bytes, expires});
  ++records_;
  bytes_ += entry.bytes;
}

bool SpoolLanes::Holds(SpoolKind kind, std::string_view customer_id) const {
  return kinds_[static_cast<size_t>(kind)].lanes.contains(std::string(customer_id));
}

size_t SpoolLanes::Fitting(const Lane& lane, size_t items, uint64_t bytes) const {
  size_t size = 0;
  for (const Lane::Entry& entry : lane.entries) {
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
      batch.sequences.push_back(lane.entries[i].sequence);
      bytes += lane.entries[i].bytes;
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
    std::vector<Lane*> emptied;
    for (const auto& [customer_id, lane] : of_kind.lanes) {
      if (lane->busy || lane->entries.empty()) continue;
      while (!lane->entries.empty() && lane->entries.front().expires <= now) {
        expired.push_back(lane->entries.front().sequence);
        PopFront(*lane);
      }
      if (lane->entries.empty()) emptied.push_back(lane.get());
    }
    for (Lane* const lane : emptied) {
      of_kind.ready.erase(std::find(of_kind.ready.begin(), of_kind.ready.end(), lane));
      of_kind.lanes.erase(lane->customer_id);
    }
  }
  std::sort(expired.begin(), expired.end());
  return expired;
}

void SpoolLanes::PopFront(Lane& lane) {
  --records_;
  bytes_ -= lane.entries.front().bytes;
  lane.entries.pop_front();
}

void SpoolLanes::Release(Lane& lane) {
  KindOfLanes& of_kind = Of(lane.kind);
  if (lane.entries.empty()) {
    of_kind.lanes.erase(of_kind.lanes.find(lane.customer_id));
  } else {
    of_kind.ready.push_back(&lane);
  }
}

}  // namespace sidecar
