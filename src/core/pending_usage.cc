#include "core/pending_usage.h"

#include <algorithm>

namespace sidecar {
namespace {

/// Whether usage of that instant belongs to the window.
bool IsIn(WallTime time, const UsageBasis& basis, const UsageWindow& window) {
  if (window.rolled) return time > *basis.period.end;
  return !window.start.has_value() || time >= *window.start;
}

}  // namespace

void PendingUsage::Reconciled::Add(UsageOverlayOutcome outcome, uint64_t n, double difference) {
  count[static_cast<size_t>(outcome)] += n;
  drift += difference < 0 ? -difference : difference;
}

PendingUsage::Counted::Base PendingUsage::BaseOf(const UsageBasis& basis, const UsageWindow& window, double floor) {
  return {.usage = basis.usage,
          .updated_at = basis.updated_at,
          .fetched_at = basis.fetched_at,
          .window_end = window.end,
          .floor = floor,
          .raises = floor > window.current_usage};
}

bool PendingUsage::AddCounted(const UsageRaise& raise, uint64_t sent, uint64_t order,
                              const std::optional<UsageBasis>& basis, const Moment& now) {
  Counted counted{.raise = raise,
                  .sent = sent,
                  .order = order,
                  .since = now.mono,
                  .at = now.mono,
                  .time = raise.created_at.value_or(now.wall),
                  .base = std::nullopt};
  // What was acknowledged while a SET was under way may have been counted after it: it comes on top.
  const auto place =
      raise.set
          ? std::find_if(counted_.begin(), counted_.end(),
                         [&](const Counted& each) { return each.order >= sent && (sent == 0 || each.sent != sent); })
          : counted_.end();
  if (!basis.has_value()) {
    counted_.insert(place, counted);
    return true;
  }
  const UsageWindow window = UsageAt(basis->period, basis->usage, now.wall);
  // Upstream's clock may be ahead: it counts into the period that it is in.
  if (!raise.created_at.has_value() && window.start.has_value()) counted.time = std::max(now.wall, *window.start);
  if (!IsIn(counted.time, *basis, window)) return false;
  // On top of what the record has, and of what was counted before and it does not have. The figure shown before is no
  // base: it may be too high, and under a steady flow of reports would never come down again.
  double floor = window.current_usage;
  for (auto before = counted_.begin(); before != place; ++before) {
    const bool lacking = StandingOf(*before, *basis, window, now.mono) == Standing::kPending;
    if (lacking && IsIn(before->time, *basis, window)) floor = before->raise.On(floor);
  }
  floor = raise.On(floor);
  // A SET that does not raise is kept too: usage may fall, by a push from before it.
  counted.base = BaseOf(*basis, window, raise.Floor(floor));
  if (place == counted_.end() && Join(counted)) return false;
  const auto after = counted_.insert(place, counted) + 1;
  for (auto i = after; i != counted_.end(); ++i) {
    // Also what the record seemed to have: that may have been the SET.
    if (IsOver(StandingOf(*i, *basis, window, now.mono)) || !IsIn(i->time, *basis, window)) continue;
    floor = i->raise.On(floor);
    if (FloorCounts(*i, window)) i->base->floor = std::max(i->base->floor, i->raise.Floor(floor));
  }
  return true;
}

bool PendingUsage::Join(const Counted& counted) {
  if (counted_.size() < kSeparateMax) return false;
  Counted& last = counted_.back();
  const bool alike = last.raise.set == counted.raise.set && !last.raise.created_at && !counted.raise.created_at &&
                     last.base.has_value() && last.base->window_end == counted.base->window_end;
  if (!alike || counted.at - last.since >= kTogetherWithin) return false;
  last.raise.value =
      counted.raise.set ? std::max(last.raise.value, counted.raise.value) : last.raise.value + counted.raise.value;
  last.sent = 0;
  last.order = counted.order;
  last.at = counted.at;
  const double floor = std::max(last.base->floor, counted.base->floor);
  last.base = counted.base;
  last.base->floor = floor;
  return true;
}

void PendingUsage::Rebase(Counted& counted, const UsageBasis& basis, const UsageWindow& window, double floor) {
  const double before = FloorCounts(counted, window) ? counted.base->floor : floor;
  counted.base = BaseOf(basis, window, std::max(before, floor));
}

size_t PendingUsage::EndCountedBefore(uint64_t sent, const UsageBasis& basis, const Moment& now) {
  const size_t ended = std::erase_if(
      counted_, [&](const Counted& counted) { return sent != 0 && (counted.order < sent || counted.sent == sent); });
  const UsageWindow window = UsageAt(basis.period, basis.usage, now.wall);
  double floor = window.current_usage;
  for (Counted& counted : counted_) {
    if (!IsIn(counted.time, basis, window)) continue;
    floor = counted.raise.On(floor);
    Rebase(counted, basis, window, counted.raise.Floor(floor));
  }
  return ended;
}

PendingUsage::Standing PendingUsage::StandingOf(const Counted& counted, const UsageBasis& basis,
                                                const UsageWindow& window, MonoTime now) {
  const Millis age = now - counted.at;
  const bool settled = age >= kPushesArriveWithin;
  const bool expired = age >= kShownAtMost;
  if (!counted.base.has_value()) {
    // A fetch that began after the acknowledgement is believed; the shared store's record may be older than its fetch.
    if (basis.fetched_at > counted.at && !basis.from_shared) return settled ? Standing::kBelieved : Standing::kReached;
    return expired ? Standing::kExpired : Standing::kPending;
  }
  const Counted::Base& base = *counted.base;
  if (FloorCounts(counted, window) && window.current_usage >= base.floor) {
    return settled ? Standing::kArrived : Standing::kReached;
  }
  const bool changed = basis.usage != base.usage || basis.updated_at != base.updated_at;
  // A fetch that began before the acknowledgement, or right after it, may bring other people's usage and not yet this.
  const bool by_push = basis.fetched_at == base.fetched_at;
  const bool by_late_fetch = basis.fetched_at > counted.at + kPushesArriveWithin;
  if (settled && changed && (by_push || by_late_fetch)) return Standing::kChanged;
  return expired ? Standing::kExpired : Standing::kPending;
}

size_t PendingUsage::Sweep(const std::optional<UsageBasis>& basis, const Moment& now, Reconciled& reconciled) {
  if (!basis.has_value()) {
    return std::erase_if(counted_, [&](const Counted& counted) { return now.mono - counted.at >= kShownAtMost; });
  }
  const UsageWindow window = UsageAt(basis->period, basis->usage, now.wall);
  uint64_t arrived = 0;
  uint64_t changed = 0;
  uint64_t expired = 0;
  double highest = 0;        // of all floors: what our own reports explain
  double highest_ended = 0;  // of those that upstream did not confirm
  double sum = window.current_usage;
  for (Counted& counted : counted_) {
    const Standing standing = StandingOf(counted, *basis, window, now.mono);
    // Of another period there is nothing to compare, nor of what was not shown.
    const bool compares = FloorCounts(counted, window) && counted.base->raises;
    if (compares) highest = std::max(highest, counted.base->floor);
    if (compares && standing == Standing::kArrived) ++arrived;
    if (compares && (standing == Standing::kChanged || standing == Standing::kExpired)) {
      ++(standing == Standing::kChanged ? changed : expired);
      highest_ended = std::max(highest_ended, counted.base->floor);
    }
    if (standing != Standing::kPending || !IsIn(counted.time, *basis, window)) continue;
    sum = counted.raise.On(sum);
    // What an early fetch brought says nothing; what comes after it may.
    const bool other_fetch = !counted.base.has_value() || counted.base->fetched_at != basis->fetched_at;
    if (other_fetch) Rebase(counted, *basis, window, counted.raise.Floor(sum));
  }
  if (arrived > 0) {
    const double beyond = window.current_usage - highest;
    reconciled.Add(beyond > 0 ? UsageOverlayOutcome::kUnder : UsageOverlayOutcome::kExact, arrived,
                   std::max(beyond, 0.0));
  }
  if (changed > 0) reconciled.Add(UsageOverlayOutcome::kOver, changed, highest_ended - window.current_usage);
  if (expired > 0) {
    reconciled.Add(UsageOverlayOutcome::kExpired, expired, changed > 0 ? 0 : highest_ended - window.current_usage);
  }
  return std::erase_if(counted_,
                       [&](const Counted& counted) { return IsOver(StandingOf(counted, *basis, window, now.mono)); });
}

UsageWindow PendingUsage::At(const UsageBasis& basis, const Moment& now, uint64_t sequence) const {
  UsageWindow window = UsageAt(basis.period, basis.usage, now.wall);
  double usage = window.current_usage;
  for (const Counted& counted : counted_) {
    if (FloorCounts(counted, window) && !IsOver(StandingOf(counted, basis, window, now.mono))) {
      usage = std::max(usage, counted.base->floor);
    }
  }
  for (const Counted& counted : counted_) {
    if (FloorCounts(counted, window) || StandingOf(counted, basis, window, now.mono) != Standing::kPending) continue;
    if (IsIn(counted.time, basis, window)) usage = counted.raise.On(usage);
  }
  // Upstream may have a spooled SET already, when an answer of it was lost or is on its way: then what was acknowledged
  // meanwhile may have come on top.
  double on_sets = 0;
  for (const Counted& counted : counted_) {
    if (counted.raise.set || IsOver(StandingOf(counted, basis, window, now.mono))) continue;
    if (IsIn(counted.time, basis, window)) on_sets += counted.raise.value;
  }
  // Without an instant of its own it is counted when it is delivered: in whatever period that will be.
  window.current_usage = spooled_.On(
      usage, sequence, [&](WallTime time) { return IsIn(time, basis, window); }, on_sets);
  return window;
}

}  // namespace sidecar
