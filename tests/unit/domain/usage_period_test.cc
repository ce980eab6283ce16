#include "domain/usage_period.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "adapters/json/json.h"

namespace sidecar {
namespace {

WallTime At(std::string_view date) { return ParseDate(date).value(); }

UsagePeriod Period(ResetPeriod reset, std::string_view anchor, std::string_view end) {
  return {.reset = reset, .anchor = At(anchor), .start = At(anchor), .end = At(end)};
}

TEST(UsageAt, KeepsUsageWithinThePeriod) {
  const UsagePeriod period = Period(ResetPeriod::kMonth, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
  const UsageWindow window = UsageAt(period, 7, At("2026-01-31T23:59:59.999Z"));
  EXPECT_EQ(window, (UsageWindow{.current_usage = 7, .start = period.start, .end = period.end}));
}

TEST(UsageAt, KeepsUsageAtTheVeryEnd) {
  const UsagePeriod period = Period(ResetPeriod::kMonth, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
  EXPECT_FALSE(UsageAt(period, 7, At("2026-02-01T00:00:00Z")).rolled);
  EXPECT_TRUE(UsageAt(period, 7, At("2026-02-01T00:00:00.001Z")).rolled);
}

TEST(UsageAt, KeepsUsageWithoutAnEnd) {
  EXPECT_EQ(UsageAt({.reset = ResetPeriod::kMonth, .anchor = At("2020-01-01T00:00:00Z")}, 7, At("2026-01-01T00:00:00Z"))
                .current_usage,
            7);
}

TEST(UsageAt, AnEndedPeriodWithoutAnchorHasNoWindow) {
  const UsagePeriod period{.reset = ResetPeriod::kMonth, .end = At("2026-02-01T00:00:00Z")};
  EXPECT_EQ(UsageAt(period, 7, At("2026-03-01T00:00:00Z")), (UsageWindow{.rolled = true}));
}

TEST(UsageAt, AnEndedPeriodWithoutResetPeriodHasNoWindow) {
  const UsagePeriod period{.anchor = At("2026-01-01T00:00:00Z"), .end = At("2026-02-01T00:00:00Z")};
  EXPECT_EQ(UsageAt(period, 7, At("2026-03-01T00:00:00Z")), (UsageWindow{.rolled = true}));
}

struct Roll {
  std::string name;
  ResetPeriod reset;
  std::string_view anchor;
  std::string_view now;
  std::string_view start;
  std::string_view end;
};

void PrintTo(const Roll& roll, std::ostream* out) { *out << roll.name; }

class RollOver : public ::testing::TestWithParam<Roll> {};

TEST_P(RollOver, FindsTheWindowThatContainsNow) {
  const Roll& roll = GetParam();
  const UsagePeriod ended{.reset = roll.reset, .anchor = At(roll.anchor), .end = At("2000-01-01T00:00:00Z")};
  const UsageWindow window = UsageAt(ended, 99, At(roll.now));
  EXPECT_EQ(window.current_usage, 0);
  EXPECT_EQ(FormatDate(*window.start), FormatDate(At(roll.start)));
  EXPECT_EQ(FormatDate(*window.end), FormatDate(At(roll.end)));
}

// docs/protocol.md section 4.4: calendar steps from the anchor, clamped to month length, UTC.
INSTANTIATE_TEST_SUITE_P(
    Windows, RollOver,
    ::testing::Values(Roll{"Hour", ResetPeriod::kHour, "2026-01-01T00:30:00Z", "2026-03-05T07:31:00Z",
                           "2026-03-05T07:30:00Z", "2026-03-05T08:30:00Z"},
                      Roll{"Day", ResetPeriod::kDay, "2026-01-01T06:00:00Z", "2026-03-05T05:59:59Z",
                           "2026-03-04T06:00:00Z", "2026-03-05T06:00:00Z"},
                      Roll{"Week", ResetPeriod::kWeek, "2026-01-01T00:00:00Z", "2026-01-15T00:00:00Z",
                           "2026-01-15T00:00:00Z", "2026-01-22T00:00:00Z"},
                      Roll{"Month", ResetPeriod::kMonth, "2025-11-05T00:00:00Z", "2026-03-04T23:00:00Z",
                           "2026-02-05T00:00:00Z", "2026-03-05T00:00:00Z"},
                      Roll{"MonthFromThe31stEndsInFebruary", ResetPeriod::kMonth, "2026-01-31T12:00:00Z",
                           "2026-02-28T12:00:00Z", "2026-02-28T12:00:00Z", "2026-03-31T12:00:00Z"},
                      Roll{"MonthFromThe31stBeforeTheClampedStep", ResetPeriod::kMonth, "2026-01-31T12:00:00Z",
                           "2026-02-28T11:59:59Z", "2026-01-31T12:00:00Z", "2026-02-28T12:00:00Z"},
                      Roll{"MonthFromThe31stReturnsToThe31st", ResetPeriod::kMonth, "2026-01-31T00:00:00Z",
                           "2026-04-01T00:00:00Z", "2026-03-31T00:00:00Z", "2026-04-30T00:00:00Z"},
                      Roll{"LeapDayMonth", ResetPeriod::kMonth, "2028-01-31T00:00:00Z", "2028-02-29T00:00:00Z",
                           "2028-02-29T00:00:00Z", "2028-03-31T00:00:00Z"},
                      Roll{"Year", ResetPeriod::kYear, "2020-03-15T00:00:00Z", "2024-03-14T23:59:59Z",
                           "2023-03-15T00:00:00Z", "2024-03-15T00:00:00Z"},
                      Roll{"YearFromALeapDay", ResetPeriod::kYear, "2024-02-29T00:00:00Z", "2025-03-01T00:00:00Z",
                           "2025-02-28T00:00:00Z", "2026-02-28T00:00:00Z"},
                      Roll{"YearFromALeapDayToTheNext", ResetPeriod::kYear, "2024-02-29T00:00:00Z",
                           "2028-02-29T00:00:00Z", "2028-02-29T00:00:00Z", "2029-02-28T00:00:00Z"},
                      Roll{"AnchorAfterNow", ResetPeriod::kMonth, "2027-06-10T00:00:00Z", "2026-03-05T00:00:00Z",
                           "2026-02-10T00:00:00Z", "2026-03-10T00:00:00Z"},
                      // Europe moves its clocks on that day: UTC does not care.
                      Roll{"DayOfADaylightSavingChange", ResetPeriod::kDay, "2026-03-01T00:00:00Z",
                           "2026-03-29T02:30:00Z", "2026-03-29T00:00:00Z", "2026-03-30T00:00:00Z"}),
    [](const auto& roll) { return roll.param.name; });

TEST(RollOverProperties, ARolledWindowContainsNowAndIsOnePeriodLong) {
  constexpr uint32_t kSeed = 7;
  std::mt19937_64 generator(kSeed);
  std::uniform_int_distribution<int64_t> instant(ToEpochMs(At("1990-01-01T00:00:00Z")),
                                                 ToEpochMs(At("2090-01-01T00:00:00Z")));
  constexpr ResetPeriod kAll[] = {ResetPeriod::kHour, ResetPeriod::kDay, ResetPeriod::kWeek, ResetPeriod::kMonth,
                                  ResetPeriod::kYear};
  for (int i = 0; i < 50'000; ++i) {
    const ResetPeriod reset = kAll[i % 5];
    const WallTime anchor = WallTimeFromEpochMs(instant(generator));
    const WallTime now = WallTimeFromEpochMs(instant(generator));
    const UsageWindow window = UsageAt({.reset = reset, .anchor = anchor, .end = now - Millis(1)}, 1, now);
    ASSERT_TRUE(window.rolled);
    ASSERT_LE(*window.start, now) << "case " << i << " anchor " << FormatDate(anchor) << " now " << FormatDate(now);
    ASSERT_LT(now, *window.end) << "case " << i << " anchor " << FormatDate(anchor) << " now " << FormatDate(now);
  }
}

}  // namespace
}  // namespace sidecar
