// Reporter, spool and overlay together: what a read is shown from the acknowledgement on, across
// deliveries, refusals and restarts (docs/adr/0025).
#include <gtest/gtest.h>

#include "core/usage_reporter.h"
#include "support/fake_spool_store.h"
#include "support/overlay_fixture.h"
#include "support/scripted_sink.h"
#include "support/status_matchers.h"

namespace sidecar {
namespace {

using absl::StatusCode;
using testing::OverlayWorld;

/// One process on a disk and an upstream that outlive it.
struct Life : OverlayWorld {
  Life(testing::FakeSpoolStore& store, testing::ScriptedSink& sink, SpoolSettings settings = {})
      : spool(
            {store, sink, time, time, random, metrics, &overlay},
            [this](UsageReceipt receipt) { door.Apply(std::move(receipt)); }, settings),
        reporter(sink, door, &spool, nullptr, &overlay) {}

  std::shared_ptr<std::optional<ReportOutcome>> Send(std::vector<UsageReport> reports,
                                                     Durability durability = Durability::kSpoolOnFailure) {
    auto result = std::make_shared<std::optional<ReportOutcome>>();
    for (UsageReport& report : reports) report.idempotency_key = std::to_string(++keys);
    reporter.ReportUsage(
        std::move(reports), time.Now() + Millis(1'000),
        [this, result](ReportOutcome outcome) {
          // Whoever hears of it sees it.
          shown_when_answered = Shown();
          *result = std::move(outcome);
        },
        durability);
    return result;
  }

  Spool spool;
  UsageReporter reporter;
  int keys = 0;
  double shown_when_answered = -1;
};

class OverlaidReportsTest : public ::testing::Test {
 protected:
  OverlaidReportsTest() { Begin(); }

  /// A new process: with what the one before left on the disk.
  void Begin() {
    if (!lives_.empty()) life().spool.Stop();
    sink_.waiting.clear();
    lives_.push_back(std::make_unique<Life>(store_, sink_, settings_));
    EXPECT_TRUE(life().spool.Start().ok());
  }
  Life& life() { return *lives_.back(); }

  /// Answers the call that has waited longest; `totals` are of its reports, in order.
  void Answer(const std::vector<std::optional<double>>& totals) {
    testing::ScriptedSink::Sent sent = std::move(sink_.waiting.front());
    sink_.waiting.pop_front();
    ASSERT_EQ(sent.usage.size(), totals.size());
    std::vector<UsageReceipt> receipts;
    for (size_t i = 0; i < totals.size(); ++i) receipts.push_back(life().ReceiptOf(sent.usage[i], totals[i]));
    std::move(sent.usage_done)(std::move(receipts));
  }

  testing::FakeSpoolStore store_;
  testing::ScriptedSink sink_;
  SpoolSettings settings_;
  std::vector<std::unique_ptr<Life>> lives_;  // the dead ones too: their timers still name them
};

UsageReport Use(double value) { return OverlayWorld::Report(value); }

TEST_F(OverlaidReportsTest, WhatIsSpooledIsShownBeforeItsReporterHearsOfIt) {
  life().Fetch(10);
  const auto outcome = life().Send({Use(5)});
  EXPECT_EQ(life().Shown(), 10);  // not acknowledged
  store_.at_once = false;
  sink_.Fail(StatusCode::kUnavailable);
  EXPECT_EQ(life().Shown(), 10);
  store_.Answer();
  ASSERT_TRUE((*outcome)->durable);
  EXPECT_EQ(life().shown_when_answered, 15);
  EXPECT_EQ(life().Shown(), 15);
}

TEST_F(OverlaidReportsTest, AnAcknowledgementWithoutATotalIsShownBeforeItsReporterHearsOfIt) {
  life().Fetch(10);
  const auto outcome = life().Send({Use(5), Use(2), OverlayWorld::Set(40)});
  Answer({std::nullopt, std::nullopt, std::nullopt});
  EXPECT_FALSE((*outcome)->durable);
  EXPECT_EQ(life().shown_when_answered, 40);
}

TEST_F(OverlaidReportsTest, WhatIsNotAcknowledgedIsNotShown) {
  life().Fetch(10);
  life().Send({Use(5)}, Durability::kUpstreamOnly);
  sink_.Fail(StatusCode::kUnavailable);
  life().Send({Use(5)});
  sink_.Fail(StatusCode::kNotFound);
  store_.failure = absl::UnavailableError("disk full");
  life().Send({Use(5)});
  sink_.Fail(StatusCode::kUnavailable);
  EXPECT_EQ(life().Shown(), 10);
  EXPECT_FALSE(life().overlay.pending());
}

TEST_F(OverlaidReportsTest, OfABulkEachHasItsOwnReceipt) {
  life().Fetch(10);
  life().Send({Use(1), Use(2), Use(4)});
  Answer({11, std::nullopt, std::nullopt});
  EXPECT_EQ(life().Shown(), 17);
}

TEST_F(OverlaidReportsTest, ADeliveryIsReconciledWithItsTotal) {
  life().Fetch(10);
  life().Send({Use(5)});
  sink_.Fail(StatusCode::kUnavailable);  // and it is on its way again
  life().Send({Use(2)});
  EXPECT_EQ(life().Shown(), 17);
  Answer({15});
  EXPECT_EQ(life().Shown(), 17);
  Answer({17});
  EXPECT_EQ(life().Shown(), 17);
  EXPECT_FALSE(life().overlay.pending());
  EXPECT_EQ(life().Reconciled(UsageOverlayOutcome::kExact), 2U);
  EXPECT_EQ(life().metrics.usage_overlay_drift.load(), 0);
}

TEST_F(OverlaidReportsTest, ADeliveryWithoutATotalIsShownOn) {
  life().Fetch(10);
  life().Send({Use(5)});
  sink_.Fail(StatusCode::kUnavailable);
  Answer({std::nullopt});
  EXPECT_EQ(life().spool.progress().waiting, 0U);
  EXPECT_EQ(life().Shown(), 15);
  life().time.Advance(Millis(31'000));
  EXPECT_EQ(life().Shown(), 10);
}

TEST_F(OverlaidReportsTest, AFailedDeliveryChangesNothing) {
  life().Fetch(10);
  life().Send({Use(5)});
  sink_.Fail(StatusCode::kUnavailable);
  sink_.Fail(StatusCode::kUnavailable);
  life().time.Advance(Millis(40'000));
  EXPECT_EQ(life().Shown(), 15);
}

TEST_F(OverlaidReportsTest, WhatUpstreamRefusesIsNotShownAnyMore) {
  life().Fetch(10);
  life().Send({Use(5)});
  sink_.Fail(StatusCode::kUnavailable);
  sink_.Fail(StatusCode::kNotFound);
  ASSERT_EQ(store_.dead.size(), 1U);
  EXPECT_EQ(life().Shown(), 10);
  EXPECT_FALSE(life().overlay.pending());
}

TEST_F(OverlaidReportsTest, WhatIsTooOldIsNotShownAnyMore) {
  settings_.age_max = Millis(3'600'000);
  Begin();
  life().Fetch(10);
  life().Send({Use(5)});
  sink_.Fail(StatusCode::kUnavailable);
  sink_.Fail(StatusCode::kUnavailable);
  EXPECT_EQ(life().Shown(), 15);
  life().time.Advance(Millis(3'600'000));
  for (int i = 0; i < 100; ++i) {  // what is being delivered does not grow too old
    while (!sink_.waiting.empty()) sink_.Fail(StatusCode::kUnavailable);
    life().time.Advance(Millis(10'000));
  }
  ASSERT_EQ(store_.dead.size(), 1U);
  EXPECT_EQ(life().Shown(), 10);
  EXPECT_EQ(life().Reconciled(UsageOverlayOutcome::kExpired), 1U);
}

TEST_F(OverlaidReportsTest, ARestartReadsBackWhatIsSpooled) {
  life().Fetch(10);
  for (int i = 0; i < 1'500; ++i) {  // more than is read at once
    life().Send({Use(1)});
    if (i == 0) sink_.Fail(StatusCode::kUnavailable);
  }
  EXPECT_EQ(life().Shown(), 1'510);
  Begin();
  life().Fetch(10);
  EXPECT_EQ(life().Shown(), 1'510);
  double total = 10;
  while (!sink_.waiting.empty()) {
    std::vector<std::optional<double>> totals;
    for (size_t i = 0; i < sink_.waiting.front().usage.size(); ++i) totals.push_back(++total);
    Answer(totals);
    EXPECT_EQ(life().Shown(), 1'510);
  }
  EXPECT_FALSE(life().overlay.pending());
  EXPECT_EQ(life().metrics.usage_overlay_pending.value(), 0U);
}

TEST_F(OverlaidReportsTest, ARecordThatCannotBeReadBackIsPassedOver) {
  life().Send({Use(1)});
  sink_.Fail(StatusCode::kUnavailable);
  life().Send({Use(2)});
  store_.unreadable.insert(1);
  Begin();
  life().Fetch(10);
  EXPECT_EQ(life().Shown(), 12);
  Answer({12});
  EXPECT_EQ(store_.dead.size(), 1U);
  EXPECT_FALSE(life().overlay.pending());
}

}  // namespace
}  // namespace sidecar
