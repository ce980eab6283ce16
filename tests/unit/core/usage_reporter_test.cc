#include "core/usage_reporter.h"

#include <gtest/gtest.h>

#include <deque>

#include "support/builders.h"
#include "support/definitions.h"
#include "support/sim_clock.h"

namespace sidecar {
namespace {

/// Acknowledges or fails parts by hand.
class FakeSink : public UsageSink {
 public:
  void ReportUsage(std::vector<UsageReport> reports, MonoTime, UsageDone done) override {
    parts.push_back(reports.size());
    if (fail_at == parts.size()) {
      return std::move(done)(UpstreamFailure{.status = absl::UnavailableError("down")});
    }
    std::vector<UsageReceipt> receipts;
    for (const UsageReport& report : reports) {
      receipts.push_back(
          {.measurement_id = report.idempotency_key, .key = report.key, .feature_id = report.feature_id});
    }
    std::move(done)(std::move(receipts));
  }

  void ReportEvents(std::vector<UsageEvent> events, MonoTime, EventsDone done) override {
    parts.push_back(events.size());
    if (fail_at == parts.size()) {
      return std::move(done)(UpstreamFailure{.status = absl::UnavailableError("down")});
    }
    std::move(done)(std::monostate{});
  }

  std::vector<size_t> parts;
  size_t fail_at = 0;  ///< ordinal of the part that fails; 0: none
};

class ReporterTest : public ::testing::Test {
 protected:
  ReportOutcome ReportUsage(size_t count) {
    std::vector<UsageReport> reports(count);
    for (size_t i = 0; i < count; ++i) reports[i].idempotency_key = std::to_string(i);
    ReportOutcome result;
    reporter_.ReportUsage(std::move(reports), MonoTime::max(),
                          [&](ReportOutcome outcome) { result = std::move(outcome); });
    return result;
  }

  ReportOutcome ReportEvents(size_t count) {
    ReportOutcome result;
    reporter_.ReportEvents(std::vector<UsageEvent>(count), MonoTime::max(),
                           [&](ReportOutcome outcome) { result = std::move(outcome); });
    return result;
  }

  testing::SimTime time_;
  testing::FixedRandom random_;
  Definitions definitions_ = testing::PlainDefinitions();
  EpochDomain epochs_;
  EntitlementCache cache_{{}, epochs_, definitions_};
  LiveCover cover_;
  RecordDoor door_{cache_, time_, random_, cover_, {}};
  FakeSink sink_;
  UsageReporter reporter_{sink_, door_};
};

TEST_F(ReporterTest, SplitsUsageInPartsOfOneHundredInOrder) {
  const ReportOutcome outcome = ReportUsage(250);
  EXPECT_EQ(sink_.parts, (std::vector<size_t>{100, 100, 50}));
  EXPECT_EQ(outcome.acknowledged, 250U);
  ASSERT_EQ(outcome.receipts.size(), 250U);
  for (size_t i = 0; i < 250; ++i) ASSERT_EQ(outcome.receipts[i].measurement_id, std::to_string(i));
}

TEST_F(ReporterTest, StopsAtTheFirstPartThatFails) {
  sink_.fail_at = 2;
  const ReportOutcome outcome = ReportUsage(250);
  EXPECT_EQ(sink_.parts.size(), 2U);
  EXPECT_EQ(outcome.acknowledged, 100U);
  EXPECT_EQ(outcome.total, 250U);
  ASSERT_TRUE(outcome.failure.has_value());
}

TEST_F(ReporterTest, SplitsEventsInPartsOfOneThousand) {
  EXPECT_EQ(ReportEvents(2001).acknowledged, 2001U);
  EXPECT_EQ(sink_.parts, (std::vector<size_t>{1000, 1000, 1}));
}

TEST_F(ReporterTest, NothingToReportIsDoneWithoutACall) {
  EXPECT_FALSE(ReportEvents(0).failure.has_value());
  EXPECT_FALSE(ReportUsage(0).failure.has_value());
  EXPECT_TRUE(sink_.parts.empty());
}

}  // namespace
}  // namespace sidecar
