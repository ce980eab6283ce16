#include "core/spooled_usage.h"

namespace sidecar {

std::optional<UsageRaise> UsageRaise::Of(const UsageReport& report) {
  const bool set = report.update == UsageUpdate::kSet;
  if (!set && !(report.value > 0)) return std::nullopt;
  return UsageRaise{.value = report.value, .set = set, .created_at = report.created_at};
}

void SpooledUsage::Run::AddUp() {
  adds = 0;
  least = -std::numeric_limits<double>::infinity();
  dated = false;
  for (const Item& item : items) {
    dated |= item.raise.created_at.has_value();
    if (item.raise.set) {
      least = std::max(least, item.raise.value);
    } else {
      adds += item.raise.value;
      least += item.raise.value;
    }
  }
}

size_t SpooledUsage::RunOf(uint64_t sequence) const {
  const auto place = std::lower_bound(runs_.begin(), runs_.end(), sequence,
                                      [](const Run& run, uint64_t s) { return run.items.back().sequence < s; });
  return static_cast<size_t>(place - runs_.begin());
}

void SpooledUsage::Add(uint64_t sequence, const UsageRaise& raise) {
  const size_t found = RunOf(sequence);
  if (found == runs_.size() && (runs_.empty() || runs_.back().items.size() >= kRunMax)) runs_.emplace_back();
  Run& run = found < runs_.size() ? runs_[found] : runs_.back();
  const auto place = std::upper_bound(run.items.begin(), run.items.end(), sequence,
                                      [](uint64_t s, const Item& item) { return s < item.sequence; });
  run.items.insert(place, {sequence, raise});
  run.AddUp();
}

bool SpooledUsage::Holds(uint64_t sequence) const {
  const size_t found = RunOf(sequence);
  if (found == runs_.size()) return false;
  const std::vector<Item>& items = runs_[found].items;
  return std::any_of(items.begin(), items.end(), [&](const Item& item) { return item.sequence == sequence; });
}

void SpooledUsage::Remove(uint64_t sequence) {
  const size_t found = RunOf(sequence);
  if (found == runs_.size()) return;
  Run& run = runs_[found];
  std::erase_if(run.items, [&](const Item& item) { return item.sequence == sequence; });
  if (run.items.empty()) {
    runs_.erase(runs_.begin() + static_cast<ptrdiff_t>(found));
  } else {
    run.AddUp();
  }
}

double SpooledUsage::On(double usage, uint64_t last, absl::FunctionRef<bool(WallTime)> counts, double on_sets) const {
  for (const Run& run : runs_) {
    if (!run.dated && run.items.back().sequence <= last) {
      usage = std::max(usage + run.adds, run.least + on_sets);
      continue;
    }
    for (const Item& item : run.items) {
      if (item.sequence > last) return usage;
      const UsageRaise& raise = item.raise;
      if (raise.created_at.has_value() && !counts(*raise.created_at)) continue;
      usage = raise.set ? std::max(usage, raise.value + on_sets) : usage + raise.value;
    }
  }
  return usage;
}

}  // namespace sidecar
