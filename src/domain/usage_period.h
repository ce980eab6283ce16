// Usage-period roll-over: what a metered feature's usage is at a given instant.
#pragma once

#include <optional>

#include "domain/entitlement.h"
#include "domain/time.h"

namespace sidecar {

/// Usage and period as they stand at one instant.
struct UsageWindow {
  double current_usage = 0;
  std::optional<WallTime> start;
  std::optional<WallTime> end;
  bool rolled = false;  ///< true when the stored period had ended and usage was taken as 0

  friend bool operator==(const UsageWindow&, const UsageWindow&) = default;
};

/// Usage at `now`. A period whose end is strictly before `now` has ended: usage is 0 and,
/// when anchor and reset period are known, the window is the one of the series
/// anchor + n periods that contains `now`; otherwise the window is unknown.
/// Months and years are calendar steps in UTC from the anchor, clamped to the length of
/// the month. Pure; nothing is written back.
/// Source: docs/protocol.md sections 4.4 and 13.3.
UsageWindow UsageAt(const UsagePeriod& period, double current_usage, WallTime now);

/// anchor + n periods. `reset` must not be kNone.
WallTime AddPeriods(WallTime anchor, ResetPeriod reset, int64_t n);

}  // namespace sidecar
