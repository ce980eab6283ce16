// Reports with a spool: what is acknowledged before upstream has it, and what never is.
#include <gtest/gtest.h>

#include "core/usage_reporter.h"
#include "support/definitions.h"
#include "support/fake_spool_store.h"
#include "support/scripted_sink.h"
#include "support/sim_clock.h"
#include "support/status_matchers.h"

namespace sidecar {
namespace {

using absl::StatusCode;
using testing::FailsWith;
using testing::SeatReport;
using Keys = std::vector<std::string>;

class ReporterWithSpoolTest : public ::testing::Test {
 protected:
  ReporterWithSpoolTest() { EXPECT_TRUE(spool_.Start().ok()); }

  std::shared_ptr<std::optional<ReportOutcome>> Report(std::vector<UsageReport> reports, Durability durability) {
    auto result = std::make_shared<std::optional<ReportOutcome>>();
    reporter_.ReportUsage(
        std::move(reports), time_.Now() + Millis(1'000),
        [result](ReportOutcome outcome) { *result = std::move(outcome); }, durability);
    return result;
  }
  auto Accepting(std::vector<UsageReport> reports) { return Report(std::move(reports), Durability::kSpoolOnFailure); }

  std::shared_ptr<std::optional<ReportOutcome>> Events(const std::vector<std::string>& keys) {
    std::vector<UsageEvent> events;
    for (const std::string& key : keys) {
      events.push_back({.event_name = "e", .key = {"a", ""}, .idempotency_key = key});
    }
    auto result = std::make_shared<std::optional<ReportOutcome>>();
    reporter_.ReportEvents(std::move(events), time_.Now() + Millis(1'000),
                           [result](ReportOutcome outcome) { *result = std::move(outcome); });
    return result;
  }

  testing::SimTime time_;
  testing::FixedRandom random_;
  Metrics metrics_;
  Definitions definitions_ = testing::PlainDefinitions();
  EpochDomain epochs_;
  EntitlementCache cache_{{}, epochs_, definitions_};
  LiveCover cover_;
  RecordDoor door_{cache_, time_, random_, cover_, {}};
  testing::FakeSpoolStore store_;
  testing::ScriptedSink sink_;
  Spool spool_{{store_, sink_, time_, time_, random_, metrics_}, [](const UsageReceipt&) {}, {.bytes_max = 2'000}};
  UsageReporter reporter_{sink_, door_, &spool_};
};

TEST_F(ReporterWithSpoolTest, EventsAreDurableBeforeUpstreamIsAsked) {
  const auto outcome = Events({"1", "2"});
  ASSERT_TRUE(outcome->has_value());
  EXPECT_TRUE((*outcome)->durable);
  EXPECT_FALSE((*outcome)->failure.has_value());
  EXPECT_EQ((*outcome)->acknowledged, 2U);
  EXPECT_EQ(sink_.calls, (std::vector<Keys>{{"1", "2"}}));
  sink_.Acknowledge();
}

TEST_F(ReporterWithSpoolTest, NoEventsTouchNothing) {
  EXPECT_FALSE((*Events({}))->durable);
  EXPECT_TRUE(sink_.calls.empty());
}

TEST_F(ReporterWithSpoolTest, WithoutADiskEventsGoTheOrdinaryWay) {
  store_.failure = absl::UnavailableError("disk full");
  const auto outcome = Events({"1"});
  EXPECT_FALSE(outcome->has_value());
  sink_.Fail(StatusCode::kUnavailable);
  EXPECT_THAT((*outcome)->failure->status, FailsWith(StatusCode::kUnavailable, "scripted"));
  EXPECT_FALSE((*outcome)->durable);
}

TEST_F(ReporterWithSpoolTest, AFullSpoolRefusesEvents) {
  std::vector<std::string> keys(100, "key");
  EXPECT_THAT((*Events(keys))->failure->status, FailsWith(StatusCode::kResourceExhausted, "full"));
  EXPECT_TRUE(sink_.calls.empty());
}

TEST_F(ReporterWithSpoolTest, UsageGoesUpstreamFirst) {
  const auto outcome = Accepting({SeatReport("a", "1")});
  sink_.Acknowledge();
  EXPECT_FALSE((*outcome)->durable);
  EXPECT_EQ((*outcome)->receipts[0].measurement_id, "of 1");
  EXPECT_TRUE(store_.held.empty());
}

TEST_F(ReporterWithSpoolTest, FailedUsageIsSpooledUnderTheKeyOfTheAttempt) {
  for (const StatusCode code : {StatusCode::kUnavailable, StatusCode::kDeadlineExceeded}) {
    const std::string key = absl::StatusCodeToString(code);
    const auto outcome = Accepting({SeatReport(key, key)});
    sink_.Fail(code);
    ASSERT_TRUE(outcome->has_value());
    EXPECT_TRUE((*outcome)->durable);
    ASSERT_EQ((*outcome)->receipts.size(), 1U);
    EXPECT_EQ((*outcome)->receipts[0].measurement_id, key);
    EXPECT_EQ((*outcome)->receipts[0].feature_id, "seats");
    EXPECT_FALSE((*outcome)->receipts[0].current_usage.has_value());
    EXPECT_EQ(sink_.calls.back(), Keys{key});  // the delivery
    sink_.Acknowledge();
  }
}

TEST_F(ReporterWithSpoolTest, OtherFailuresAreTheCallers) {
  for (const StatusCode code : {StatusCode::kNotFound, StatusCode::kResourceExhausted, StatusCode::kUnauthenticated,
                                StatusCode::kUnknown, StatusCode::kFailedPrecondition}) {
    const auto outcome = Accepting({SeatReport("a", "1")});
    sink_.Fail(code);
    EXPECT_THAT((*outcome)->failure->status, FailsWith(code, "scripted"));
    EXPECT_TRUE(store_.held.empty());
  }
}

TEST_F(ReporterWithSpoolTest, WhatMayHaveBeenCountedWithoutAKeyIsNotSpooled) {
  const auto outcome = Accepting({SeatReport("a", "1")});
  sink_.Fail({.status = absl::DeadlineExceededError("no answer"), .safe_to_repeat = false});
  EXPECT_THAT((*outcome)->failure->status, FailsWith(StatusCode::kDeadlineExceeded, "no answer"));
  EXPECT_TRUE(store_.held.empty());
}

TEST_F(ReporterWithSpoolTest, NothingIsSpooledForACallerThatDidNotAsk) {
  const auto outcome = Report({SeatReport("a", "1")}, Durability::kUpstreamOnly);
  sink_.Fail(StatusCode::kUnavailable);
  EXPECT_THAT((*outcome)->failure->status, FailsWith(StatusCode::kUnavailable, "scripted"));
  EXPECT_TRUE(store_.held.empty());
}

TEST_F(ReporterWithSpoolTest, AnAttemptLeavesTimeToSpool) {
  Accepting({SeatReport("a", "1")});
  EXPECT_EQ(sink_.waiting.back().deadline, time_.Now() + Millis(950));
  Report({SeatReport("a", "1")}, Durability::kUpstreamOnly);
  EXPECT_EQ(sink_.waiting.back().deadline, time_.Now() + Millis(1'000));
}

TEST_F(ReporterWithSpoolTest, LaterReportsOfTheCustomerQueueBehind) {
  Accepting({SeatReport("a", "1")});
  sink_.Fail(StatusCode::kUnavailable);  // spooled, and on its way again
  const auto second = Accepting({SeatReport("a", "2")});
  EXPECT_TRUE((*second)->durable);
  const auto other = Accepting({SeatReport("b", "3")});
  EXPECT_FALSE(other->has_value());  // asks upstream
  sink_.Acknowledge();
  sink_.Acknowledge();
  EXPECT_TRUE(other->has_value());
  EXPECT_EQ(sink_.calls.back(), Keys{"2"});
}

TEST_F(ReporterWithSpoolTest, AReportThatMayNotQueueDoesNotOvertakeEither) {
  Accepting({SeatReport("a", "1")});
  sink_.Fail(StatusCode::kUnavailable);
  const size_t calls = sink_.calls.size();
  const auto outcome = Report({SeatReport("a", "2")}, Durability::kUpstreamOnly);
  EXPECT_THAT((*outcome)->failure->status, FailsWith(StatusCode::kUnavailable, "x-accept-durable"));
  EXPECT_EQ(sink_.calls.size(), calls);
  sink_.Acknowledge();  // "1" is delivered
  Report({SeatReport("a", "3")}, Durability::kUpstreamOnly);
  EXPECT_EQ(sink_.calls.back(), Keys{"3"});
}

TEST_F(ReporterWithSpoolTest, OfABulkOnlyTheRestIsSpooled) {
  std::vector<UsageReport> reports;
  for (int i = 0; i < 101; ++i) reports.push_back(SeatReport("a", std::to_string(i)));
  const auto outcome = Accepting(std::move(reports));
  sink_.Acknowledge();                   // 100
  sink_.Fail(StatusCode::kUnavailable);  // the last
  ASSERT_TRUE(outcome->has_value());
  EXPECT_TRUE((*outcome)->durable);
  ASSERT_EQ((*outcome)->receipts.size(), 101U);
  EXPECT_EQ((*outcome)->receipts[99].measurement_id, "of 99");
  EXPECT_EQ((*outcome)->receipts[100].measurement_id, "100");
  EXPECT_EQ(store_.held.size(), 1U);
}

TEST_F(ReporterWithSpoolTest, WithoutADiskUsageAnswersWhatUpstreamSaid) {
  store_.failure = absl::UnavailableError("disk full");
  const auto outcome = Accepting({SeatReport("a", "1")});
  sink_.Fail(StatusCode::kDeadlineExceeded);
  EXPECT_THAT((*outcome)->failure->status, FailsWith(StatusCode::kDeadlineExceeded, "scripted"));
}

TEST_F(ReporterWithSpoolTest, AFullSpoolSaysSo) {
  UsageReport large = SeatReport("a", "1");
  large.dimensions["text"] = std::string(3'000, 'x');
  const auto outcome = Accepting({large});
  sink_.Fail(StatusCode::kUnavailable);
  EXPECT_THAT((*outcome)->failure->status, FailsWith(StatusCode::kResourceExhausted, "full"));
}

}  // namespace
}  // namespace sidecar
