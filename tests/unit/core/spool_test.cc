#include "core/spool.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "core/spool_delivery.h"
#include "support/fake_spool_store.h"
#include "support/scripted_sink.h"
#include "support/sim_clock.h"
#include "support/status_matchers.h"

namespace sidecar {
namespace {

using absl::StatusCode;
using testing::FailsWith;
using testing::IsOk;
using testing::SeatReport;
using Keys = std::vector<std::string>;

UsageEvent Event(const std::string& customer, const std::string& key) {
  return {.event_name = "login", .key = {customer, ""}, .idempotency_key = key};
}

class SpoolTest : public ::testing::Test {
 protected:
  void Start() {
    spool_ = std::make_unique<Spool>(
        Spool::Parts{store_, sink_, time_, time_, random_, metrics_},
        [this](const UsageReceipt& receipt) { receipts_.push_back(receipt); }, settings_);
    ASSERT_THAT(spool_->Start(), IsOk());
  }

  /// What a process that was killed leaves: the store, and nothing else.
  void Crash() {
    dead_spools_.push_back(std::move(spool_));
    dead_spools_.back()->Stop();
    sink_.waiting.clear();
    Start();
  }

  absl::Status Append(std::vector<SpoolItem> items) {
    absl::Status result = absl::UnknownError("not answered");
    spool_->Append(std::move(items), time_.Now() + Millis(1'000), [&](absl::Status status) { result = status; });
    return result;
  }

  testing::SimTime time_;
  testing::FixedRandom random_{1};  // no jitter: pauses are as long as they can be
  Metrics metrics_;
  testing::FakeSpoolStore store_;
  testing::ScriptedSink sink_;
  SpoolSettings settings_;
  std::vector<UsageReceipt> receipts_;
  std::vector<std::unique_ptr<Spool>> dead_spools_;
  std::unique_ptr<Spool> spool_;
};

TEST_F(SpoolTest, AcknowledgesWhatIsDurableAndDeliversIt) {
  Start();
  EXPECT_THAT(Append({Event("a", "1")}), IsOk());
  EXPECT_EQ(store_.held.size(), 1U);
  ASSERT_EQ(sink_.calls, (std::vector<Keys>{{"1"}}));
  sink_.Acknowledge();
  EXPECT_TRUE(store_.held.empty());
  EXPECT_EQ(metrics_.spool_delivered.value(), 1U);
  EXPECT_EQ(metrics_.spool_records.value(), 0U);
  EXPECT_EQ(metrics_.spool_bytes.value(), 0U);
}

TEST_F(SpoolTest, IsNotAcknowledgedBeforeTheCommit) {
  store_.at_once = false;
  Start();
  int answers = 0;
  spool_->Append({Event("a", "1")}, time_.Now() + Millis(1'000), [&](absl::Status) { ++answers; });
  EXPECT_EQ(answers, 0);
  EXPECT_TRUE(sink_.calls.empty());
  store_.Answer();
  EXPECT_EQ(answers, 1);
}

TEST_F(SpoolTest, AFailedCommitIsNeverAcknowledged) {
  Start();
  store_.failure = absl::UnavailableError("disk full");
  EXPECT_THAT(Append({Event("a", "1")}), FailsWith(StatusCode::kUnavailable, "disk full"));
  EXPECT_TRUE(sink_.calls.empty());
  EXPECT_EQ(metrics_.spool_bytes.value(), 0U);
}

TEST_F(SpoolTest, ASlowStoreIsAnsweredForAtTheDeadlineAndOnlyOnce) {
  store_.at_once = false;
  Start();
  std::vector<absl::Status> answers;
  spool_->Append({Event("a", "1")}, time_.Now() + Millis(100), [&](absl::Status status) { answers.push_back(status); });
  time_.Advance(Millis(100));
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_THAT(answers[0], FailsWith(StatusCode::kDeadlineExceeded, "spool"));
  store_.Answer();
  EXPECT_EQ(answers.size(), 1U);
}

TEST_F(SpoolTest, RefusesWhatIsBeyondItsBytesAndKeepsWhatItHas) {
  settings_.bytes_max = SpoolBytes(Event("a", "1")) * 2;
  Start();
  EXPECT_THAT(Append({Event("a", "1"), Event("a", "2")}), IsOk());
  EXPECT_THAT(Append({Event("a", "3")}), FailsWith(StatusCode::kResourceExhausted, "SPOOL_MAX_BYTES"));
  EXPECT_EQ(metrics_.spool_dropped.value(), 1U);
  EXPECT_EQ(store_.held.size(), 2U);
  sink_.Acknowledge();
  EXPECT_THAT(Append({Event("a", "3")}), IsOk());
}

TEST_F(SpoolTest, WhatTheDiskHasNotForgottenCountsAgainstTheBound) {
  settings_.bytes_max = SpoolBytes(Event("a", "1"));
  Start();
  EXPECT_THAT(Append({Event("a", "1")}), IsOk());
  store_.failure = absl::UnavailableError("disk full");
  sink_.Acknowledge();
  ASSERT_EQ(store_.held.size(), 1U) << "delivered, and still on the disk";
  store_.failure = absl::OkStatus();
  EXPECT_THAT(Append({Event("a", "2")}), FailsWith(StatusCode::kResourceExhausted, "full"));
  time_.Advance(settings_.pause_max);
  EXPECT_TRUE(store_.held.empty());
  EXPECT_THAT(Append({Event("a", "2")}), IsOk());
}

TEST_F(SpoolTest, WhatIsBeingWrittenCountsAgainstTheBound) {
  settings_.bytes_max = SpoolBytes(Event("a", "1"));
  store_.at_once = false;
  Start();
  spool_->Append({Event("a", "1")}, time_.Now() + Millis(100), [](const absl::Status&) {});
  EXPECT_THAT(Append({Event("a", "2")}), FailsWith(StatusCode::kResourceExhausted, "full"));
}

TEST_F(SpoolTest, KeepsTheOrderOfACustomer) {
  Start();
  for (const char* const key : {"1", "2", "3"}) EXPECT_THAT(Append({SeatReport("a", key)}), IsOk());
  EXPECT_EQ(sink_.calls, (std::vector<Keys>{{"1"}}));  // the others wait for it
  sink_.Acknowledge();
  EXPECT_EQ(sink_.calls, (std::vector<Keys>{{"1"}, {"2", "3"}}));
}

TEST_F(SpoolTest, DeliversCustomersInParallelUpToABound) {
  settings_.deliveries_max = 2;
  Start();
  for (const char* const customer : {"a", "b", "c", "d"}) EXPECT_THAT(Append({SeatReport(customer, customer)}), IsOk());
  EXPECT_EQ(sink_.calls, (std::vector<Keys>{{"a"}, {"b"}}));
  sink_.Acknowledge();
  EXPECT_EQ(sink_.calls, (std::vector<Keys>{{"a"}, {"b"}, {"c", "d"}}));  // what waits goes together
}

TEST_F(SpoolTest, UsageAndEventsDoNotWaitForEachOther) {
  Start();
  EXPECT_THAT(Append({SeatReport("a", "u")}), IsOk());
  EXPECT_THAT(Append({Event("a", "e")}), IsOk());
  EXPECT_EQ(sink_.waiting.size(), 2U);
}

TEST_F(SpoolTest, BatchesKeepToUpstreamsLimits) {
  settings_.deliveries_max = 1;
  Start();
  std::vector<SpoolItem> items;
  for (int i = 0; i < 250; ++i) items.emplace_back(SeatReport("a", std::to_string(i)));
  EXPECT_THAT(Append(std::move(items)), IsOk());
  while (!sink_.waiting.empty()) sink_.Acknowledge();
  ASSERT_EQ(sink_.calls.size(), 3U);
  EXPECT_EQ(sink_.calls[0].size(), 100U);
  EXPECT_EQ(sink_.calls[2].size(), 50U);
  for (size_t i = 0; i < 250; ++i) ASSERT_EQ(sink_.counted[i], std::to_string(i));

  items.clear();
  for (int i = 0; i < 1001; ++i) items.emplace_back(Event("a", std::to_string(i)));
  EXPECT_THAT(Append(std::move(items)), IsOk());
  while (!sink_.waiting.empty()) sink_.Acknowledge();
  ASSERT_EQ(sink_.calls.size(), 5U);
  EXPECT_EQ(sink_.calls[3].size(), 1000U);
}

TEST_F(SpoolTest, ABatchIsBoundedInBytes) {
  settings_.batch.bytes_max = SpoolBytes(Event("a", "1")) * 2;
  Start();
  EXPECT_THAT(Append({Event("a", "1"), Event("a", "2"), Event("a", "3")}), IsOk());
  EXPECT_EQ(sink_.calls, (std::vector<Keys>{{"1", "2"}}));
}

TEST_F(SpoolTest, ARecordBeyondTheBytesOfABatchGoesAlone) {
  settings_.batch.bytes_max = 1;
  Start();
  EXPECT_THAT(Append({Event("a", "1"), Event("a", "2")}), IsOk());
  EXPECT_EQ(sink_.calls, (std::vector<Keys>{{"1"}}));
  sink_.Acknowledge();
  EXPECT_EQ(sink_.calls, (std::vector<Keys>{{"1"}, {"2"}}));
}

TEST_F(SpoolTest, TriesAgainWithTheSameKeysAfterGrowingPauses) {
  Start();
  EXPECT_THAT(Append({SeatReport("a", "1")}), IsOk());
  std::vector<int64_t> pauses;
  for (int i = 0; i < 8; ++i) {
    sink_.Fail(StatusCode::kUnavailable);
    const MonoTime failed_at = time_.Now();
    while (sink_.waiting.empty()) time_.Advance(Millis(100));
    pauses.push_back((time_.Now() - failed_at).count());
  }
  EXPECT_EQ(pauses, (std::vector<int64_t>{1'000, 2'000, 4'000, 8'000, 16'000, 32'000, 60'000, 60'000}));
  sink_.Acknowledge();
  EXPECT_EQ(std::set<Keys>(sink_.calls.begin(), sink_.calls.end()), (std::set<Keys>{{"1"}}));
  EXPECT_TRUE(store_.held.empty());
}

TEST_F(SpoolTest, WaitsAsLongAsUpstreamAsks) {
  Start();
  EXPECT_THAT(Append({Event("a", "1")}), IsOk());
  sink_.Fail({.status = absl::ResourceExhaustedError("slow down"), .http_status = 429, .retry_after = Millis(30'000)});
  time_.Advance(Millis(29'900));
  EXPECT_EQ(sink_.calls.size(), 1U);
  time_.Advance(Millis(100));
  EXPECT_EQ(sink_.calls.size(), 2U);
  EXPECT_TRUE(store_.dead.empty());
}

TEST_F(SpoolTest, AsksWithOneDeliveryWhetherUpstreamIsBack) {
  Start();
  for (const char* const customer : {"a", "b", "c"}) EXPECT_THAT(Append({Event(customer, customer)}), IsOk());
  ASSERT_EQ(sink_.waiting.size(), 3U);
  while (!sink_.waiting.empty()) sink_.Fail(StatusCode::kUnavailable);
  EXPECT_EQ(spool_->progress().failures, 1);  // three that failed together
  settings_.batch.events_max = 1;
  time_.Advance(Millis(1'000));
  EXPECT_EQ(sink_.waiting.size(), 1U);
  sink_.Acknowledge();
  EXPECT_TRUE(store_.held.empty());
}

TEST_F(SpoolTest, ARejectedKeyIsNotTheReportsFault) {
  Start();
  EXPECT_THAT(Append({SeatReport("a", "1")}), IsOk());
  sink_.Fail({.status = absl::UnauthenticatedError("key"), .http_status = 401, .invalid_key = true});
  time_.Advance(Millis(1'000));
  sink_.Fail({.status = absl::PermissionDeniedError("no"), .http_status = 403});
  time_.Advance(Millis(2'000));
  sink_.Acknowledge();
  EXPECT_TRUE(store_.dead.empty());
  EXPECT_EQ(sink_.counted, Keys{"1"});
}

TEST_F(SpoolTest, ARefusedRecordBecomesADeadLetterAndTheOthersAreDelivered) {
  Start();
  EXPECT_THAT(Append({SeatReport("a", "1"), SeatReport("a", "bad"), SeatReport("a", "3"), SeatReport("b", "4")}),
              IsOk());
  while (!sink_.waiting.empty()) {
    const Keys keys = sink_.waiting.front().keys();
    if (std::find(keys.begin(), keys.end(), "bad") == keys.end()) {
      sink_.Acknowledge();
    } else {
      sink_.Fail({.status = absl::NotFoundError("no such feature"),
                  .upstream_code = "FeatureNotFound",
                  .trace_id = "t1",
                  .http_status = 200});
    }
  }
  EXPECT_EQ(sink_.counted, (Keys{"1", "3", "4"}));
  ASSERT_EQ(store_.dead.size(), 1U);
  EXPECT_EQ(store_.dead[0].sequence, 2U);
  EXPECT_EQ(store_.dead[0].reason, "NOT_FOUND (FeatureNotFound): no such feature (trace id t1)");
  EXPECT_EQ(metrics_.spool_dead.value(), 1U);
  EXPECT_TRUE(store_.held.empty());
}

TEST_F(SpoolTest, WhatWasHandledBeforeAFailureIsNotSentAgain) {
  Start();
  EXPECT_THAT(Append({SeatReport("a", "1"), SeatReport("a", "bad")}), IsOk());
  sink_.Fail(StatusCode::kInvalidArgument, 200);  // both
  sink_.Acknowledge();                            // "1"
  sink_.Fail(StatusCode::kUnavailable);           // "bad"
  EXPECT_EQ(store_.held.size(), 1U);
  time_.Advance(Millis(1'000));
  EXPECT_EQ(sink_.calls.back(), Keys{"bad"});
}

TEST_F(SpoolTest, WhatMayHaveBeenCountedWithoutAKeyIsNotSentAgain) {
  Start();
  EXPECT_THAT(Append({SeatReport("a", "1")}), IsOk());
  sink_.Fail({.status = absl::DeadlineExceededError("no answer"), .safe_to_repeat = false});
  EXPECT_TRUE(sink_.waiting.empty());
  ASSERT_EQ(store_.dead.size(), 1U);
  EXPECT_NE(store_.dead[0].reason.find("may have been counted"), std::string::npos);
}

TEST_F(SpoolTest, EventsAlwaysMayBeSentAgain) {
  Start();
  EXPECT_THAT(Append({Event("a", "1")}), IsOk());
  sink_.Fail({.status = absl::DeadlineExceededError("no answer"), .safe_to_repeat = false});
  time_.Advance(Millis(1'000));
  EXPECT_EQ(sink_.calls.size(), 2U);
}

TEST_F(SpoolTest, ARecordThatUpstreamChokesOnHoldsUpNoOtherCustomer) {
  Start();
  EXPECT_THAT(Append({SeatReport("poison", "p")}), IsOk());
  sink_.Fail(StatusCode::kUnavailable, 500);
  EXPECT_THAT(Append({SeatReport("b", "1")}), IsOk());
  for (int i = 0; i < 40; ++i) {
    time_.Advance(Millis(60'000));
    while (!sink_.waiting.empty()) {
      const Keys keys = sink_.waiting.front().keys();
      if (std::find(keys.begin(), keys.end(), "p") == keys.end()) {
        sink_.Acknowledge();
      } else {
        sink_.Fail(StatusCode::kUnavailable, 500);
      }
    }
  }
  EXPECT_EQ(sink_.counted, Keys{"1"});
  EXPECT_EQ(store_.held.size(), 1U);
}

TEST_F(SpoolTest, ReplaysAfterACrashUnderTheSameKeys) {
  Start();
  EXPECT_THAT(Append({SeatReport("a", "1"), SeatReport("a", "2"), Event("b", "3")}), IsOk());
  Crash();  // with everything on its way
  EXPECT_EQ(spool_->progress().waiting, 3U);
  while (!sink_.waiting.empty()) sink_.Acknowledge();
  EXPECT_EQ(sink_.counted, (Keys{"1", "2", "3"}));
  EXPECT_EQ(sink_.calls, (std::vector<Keys>{{"1", "2"}, {"3"}, {"1", "2"}, {"3"}}));
}

TEST_F(SpoolTest, ASequenceIsNeverUsedTwice) {
  Start();
  EXPECT_THAT(Append({SeatReport("a", "1")}), IsOk());
  Crash();
  EXPECT_THAT(Append({SeatReport("a", "2")}), IsOk());
  EXPECT_EQ(store_.held.size(), 2U);
}

TEST_F(SpoolTest, KnowsWhoseUsageWaits) {
  Start();
  EXPECT_THAT(Append({SeatReport("a", "1"), Event("b", "2")}), IsOk());
  EXPECT_TRUE(spool_->HoldsUsageOf("a"));
  EXPECT_FALSE(spool_->HoldsUsageOf("b"));
  sink_.Acknowledge();
  EXPECT_FALSE(spool_->HoldsUsageOf("a"));
}

TEST_F(SpoolTest, ReceiptsOfDeliveredUsageAreHeard) {
  Start();
  EXPECT_THAT(Append({SeatReport("a", "1")}), IsOk());
  sink_.Acknowledge();
  ASSERT_EQ(receipts_.size(), 1U);
  EXPECT_EQ(receipts_[0].current_usage, 7);
}

TEST_F(SpoolTest, WhatIsTooOldBecomesADeadLetter) {
  settings_.age_max = Millis(600'000);
  Start();
  EXPECT_THAT(Append({SeatReport("a", "1")}), IsOk());
  for (int i = 0; i < 20 && !sink_.waiting.empty(); ++i) {
    sink_.Fail(StatusCode::kUnavailable);
    time_.Advance(Millis(60'000));
  }
  while (!sink_.waiting.empty()) sink_.Fail(StatusCode::kUnavailable);
  time_.Advance(Millis(120'000));
  ASSERT_EQ(store_.dead.size(), 1U);
  EXPECT_NE(store_.dead[0].reason.find("SPOOL_MAX_AGE_SECS=600"), std::string::npos);
  EXPECT_EQ(metrics_.spool_dropped.value(), 1U);
  EXPECT_EQ(metrics_.spool_records.value(), 0U);
}

TEST_F(SpoolTest, OfManyOldCustomersNoneIsLeft) {
  settings_.age_max = Millis(600'000);
  settings_.deliveries_max = 1;
  Start();
  EXPECT_THAT(Append({SeatReport("under way", "0")}), IsOk());
  for (int i = 0; i < 1'000; ++i) EXPECT_THAT(Append({SeatReport(std::to_string(i), "k")}), IsOk());
  time_.Advance(Millis(660'000));
  EXPECT_EQ(store_.dead.size(), 1'000U);
  EXPECT_EQ(spool_->progress().waiting, 1U);
  sink_.Acknowledge();
  EXPECT_TRUE(sink_.waiting.empty());
  EXPECT_TRUE(store_.held.empty());
}

TEST_F(SpoolTest, ALongQueueKeepsItsOrderThroughManyBatches) {
  settings_.batch.usages_max = 3;
  Start();
  Keys all;
  for (int i = 0; i < 100; ++i) {
    all.push_back(std::to_string(i));
    EXPECT_THAT(Append({SeatReport("a", all.back())}), IsOk());
    if (i % 5 == 0) sink_.Acknowledge();
  }
  while (!sink_.waiting.empty()) sink_.Acknowledge();
  EXPECT_EQ(sink_.counted, all);
}

TEST_F(SpoolTest, JumpsOfTheWallClockAgeNothing) {
  settings_.age_max = Millis(600'000);
  Start();
  EXPECT_THAT(Append({SeatReport("a", "1")}), IsOk());
  sink_.Fail(StatusCode::kUnavailable);
  time_.JumpWall(Millis(86'400'000));
  time_.Advance(Millis(120'000));
  EXPECT_TRUE(store_.dead.empty());
}

TEST_F(SpoolTest, TheTimeBetweenTwoLivesCounts) {
  settings_.age_max = Millis(600'000);
  Start();
  EXPECT_THAT(Append({SeatReport("a", "1")}), IsOk());
  time_.JumpWall(Millis(700'000));
  Crash();
  EXPECT_EQ(store_.dead.size(), 1U);
}

TEST_F(SpoolTest, AnOutcomeThatCannotBeNotedIsNotedLater) {
  Start();
  EXPECT_THAT(Append({SeatReport("a", "1")}), IsOk());
  store_.failure = absl::UnavailableError("disk full");
  sink_.Acknowledge();
  EXPECT_EQ(store_.held.size(), 1U);
  EXPECT_EQ(spool_->progress().unsettled, 1U);
  store_.failure = absl::OkStatus();
  time_.Advance(Millis(60'000));
  EXPECT_TRUE(store_.held.empty());
  EXPECT_EQ(spool_->progress().unsettled, 0U);
  EXPECT_EQ(sink_.calls.size(), 1U);
}

TEST_F(SpoolTest, AnUnreadableRecordIsADeadLetterAndHoldsUpNothing) {
  store_.at_once = false;
  Start();
  spool_->Append({Event("a", "1"), Event("a", "2"), Event("a", "3")}, time_.Now() + Millis(100),
                 [&](const absl::Status&) { store_.held.erase(2); });
  store_.Answer();
  while (!sink_.waiting.empty()) {
    sink_.Acknowledge();
    store_.Answer();
  }
  EXPECT_EQ(sink_.counted, (Keys{"1", "3"}));
  ASSERT_EQ(store_.dead.size(), 1U);
  EXPECT_EQ(store_.dead[0].sequence, 2U);
}

TEST_F(SpoolTest, StopBeginsNoDeliveriesButStillAccepts) {
  Start();
  spool_->Stop();
  EXPECT_THAT(Append({SeatReport("a", "1")}), IsOk());
  EXPECT_TRUE(sink_.calls.empty());
  EXPECT_EQ(store_.held.size(), 1U);
}

TEST_F(SpoolTest, LeavesAnAttemptMostOfItsTime) {
  Start();
  EXPECT_EQ(spool_->AttemptBy(time_.Now() + Millis(10'000)), time_.Now() + Millis(9'950));
  EXPECT_EQ(spool_->AttemptBy(time_.Now() + Millis(40)), time_.Now() + Millis(30));
}

struct VerdictRow {
  StatusCode code;
  bool safe;
  DeliveryVerdict verdict;
};

class VerdictTest : public ::testing::TestWithParam<VerdictRow> {};

TEST_P(VerdictTest, OfAUsageReport) {
  const VerdictRow& row = GetParam();
  EXPECT_EQ(JudgeDelivery(SpoolKind::kUsage, {.status = absl::Status(row.code, ""), .safe_to_repeat = row.safe}),
            row.verdict);
}

INSTANTIATE_TEST_SUITE_P(Codes, VerdictTest,
                         ::testing::Values(VerdictRow{StatusCode::kUnavailable, true, DeliveryVerdict::kTryLater},
                                           VerdictRow{StatusCode::kUnavailable, false, DeliveryVerdict::kInDoubt},
                                           VerdictRow{StatusCode::kDeadlineExceeded, true, DeliveryVerdict::kTryLater},
                                           VerdictRow{StatusCode::kDeadlineExceeded, false, DeliveryVerdict::kInDoubt},
                                           VerdictRow{StatusCode::kResourceExhausted, false,
                                                      DeliveryVerdict::kTryLater},
                                           VerdictRow{StatusCode::kUnauthenticated, false, DeliveryVerdict::kTryLater},
                                           VerdictRow{StatusCode::kPermissionDenied, false, DeliveryVerdict::kTryLater},
                                           VerdictRow{StatusCode::kNotFound, true, DeliveryVerdict::kRefused},
                                           VerdictRow{StatusCode::kInvalidArgument, true, DeliveryVerdict::kRefused},
                                           VerdictRow{StatusCode::kFailedPrecondition, true, DeliveryVerdict::kRefused},
                                           VerdictRow{StatusCode::kUnknown, true, DeliveryVerdict::kRefused}),
                         [](const auto& row) {
                           std::string name =
                               absl::StatusCodeToString(row.param.code) + (row.param.safe ? "Safe" : "Unsafe");
                           name.erase(std::remove(name.begin(), name.end(), '_'), name.end());
                           return name;
                         });

}  // namespace
}  // namespace sidecar
