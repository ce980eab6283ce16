#include "domain/usage_period.h"

#include <algorithm>

namespace sidecar {
namespace {

using std::chrono::days;
using std::chrono::floor;
using std::chrono::sys_days;
using std::chrono::year_month;
using std::chrono::year_month_day;

constexpr int64_t kHourMs = 3'600'000;

/// Length of a period of fixed length, 0 for calendar periods.
int64_t FixedLengthMs(ResetPeriod reset) {
  switch (reset) {
    case ResetPeriod::kHour:
      return kHourMs;
    case ResetPeriod::kDay:
      return 24 * kHourMs;
    case ResetPeriod::kWeek:
      return int64_t{7} * 24 * kHourMs;
    default:
      return 0;
  }
}

int64_t FloorDiv(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0); }

/// Calendar step that keeps the day of month and the time of day, clamped to month length.
WallTime AddMonths(WallTime anchor, int64_t months) {
  const sys_days day = floor<days>(anchor);
  const year_month_day date{day};
  const year_month month = year_month{date.year(), date.month()} + std::chrono::months{months};
  const auto last = year_month_day{month / std::chrono::last}.day();
  return WallTime(sys_days{month / std::min(date.day(), last)}.time_since_epoch() + (anchor - day));
}

int64_t MonthsPer(ResetPeriod reset) { return reset == ResetPeriod::kYear ? 12 : 1; }

/// Largest n with anchor + n periods <= now.
int64_t PeriodsUntil(WallTime anchor, ResetPeriod reset, WallTime now) {
  if (const int64_t length = FixedLengthMs(reset); length != 0) return FloorDiv((now - anchor).count(), length);
  const year_month_day from{floor<days>(anchor)};
  const year_month_day to{floor<days>(now)};
  const int64_t months = (year_month{to.year(), to.month()} - year_month{from.year(), from.month()}).count();
  int64_t n = FloorDiv(months, MonthsPer(reset));
  // Day and time of day may put the step of this very month after now.
  if (AddPeriods(anchor, reset, n) > now) --n;
  return n;
}

}  // namespace

WallTime AddPeriods(WallTime anchor, ResetPeriod reset, int64_t n) {
  if (const int64_t length = FixedLengthMs(reset); length != 0) return anchor + Millis(n * length);
  return AddMonths(anchor, n * MonthsPer(reset));
}

UsageWindow UsageAt(const UsagePeriod& period, double current_usage, WallTime now) {
  if (!period.end.has_value() || *period.end >= now) {
    return {.current_usage = current_usage, .start = period.start, .end = period.end, .rolled = false};
  }
  UsageWindow window{.current_usage = 0, .start = std::nullopt, .end = std::nullopt, .rolled = true};
  if (period.anchor.has_value() && period.reset != ResetPeriod::kNone) {
    const int64_t n = PeriodsUntil(*period.anchor, period.reset, now);
    window.start = AddPeriods(*period.anchor, period.reset, n);
    window.end = AddPeriods(*period.anchor, period.reset, n + 1);
  }
  return window;
}

}  // namespace sidecar
