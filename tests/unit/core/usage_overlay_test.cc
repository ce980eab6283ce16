// What is shown of acknowledged usage that the record does not have, rule by rule (docs/adr/0025).
#include "core/usage_overlay.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "support/overlay_fixture.h"

namespace sidecar {
namespace {

using testing::DateAt;
using testing::OverlayWorld;
using Outcome = UsageOverlayOutcome;
using Loss = SpoolObserver::Loss;

class UsageOverlayTest : public ::testing::Test, protected OverlayWorld {};

// What waits in the spool.

TEST_F(UsageOverlayTest, WhatIsSpooledComesOnTop) {
  Fetch(10);
  PutInSpool(1, Report(3));
  PutInSpool(2, Report(4, UsageUpdate::kUnspecified));
  EXPECT_EQ(Shown(), 17);
  EXPECT_EQ(metrics.usage_overlay_pending.value(), 2U);
  Push(12);
  EXPECT_EQ(Shown(), 19);  // of others: the spool's is still to come
}

TEST_F(UsageOverlayTest, ASetRaisesAtItsPlaceInTheOrder) {
  Fetch(10);
  PutInSpool(3, Report(5));  // whatever order they are heard of in
  PutInSpool(1, Report(2));
  PutInSpool(2, Set(20));
  EXPECT_EQ(Shown(), 25);  // (10 + 2) or 20, then 5
}

TEST_F(UsageOverlayTest, NothingIsReleasedBeforeUpstreamKnows) {
  Fetch(10);
  PutInSpool(1, Report(-4));
  PutInSpool(2, Set(3));
  EXPECT_EQ(Shown(), 10);
  PutInSpool(3, Report(1));
  EXPECT_EQ(Shown(), 11);
  Acknowledge(Report(-4));
  EXPECT_EQ(Shown(), 11);
}

TEST_F(UsageOverlayTest, ADeliveryWithATotalEndsIt) {
  Fetch(10);
  PutInSpool(1, Report(3));
  PutInSpool(2, Report(4));
  Deliver(1, Report(3), 13);
  EXPECT_EQ(Shown(), 17);
  Deliver(2, Report(4), 18);  // somebody else's 1 came too
  EXPECT_EQ(Shown(), 18);
  EXPECT_FALSE(overlay.pending());
  EXPECT_EQ(metrics.usage_overlay_pending.value(), 0U);
  EXPECT_EQ(Reconciled(Outcome::kExact), 1U);
  EXPECT_EQ(Reconciled(Outcome::kUnder), 1U);
  EXPECT_EQ(metrics.usage_overlay_drift.load(), 1);
}

TEST_F(UsageOverlayTest, ADeliveryWithoutATotalIsShownUntilUpstreamPushesIt) {
  Fetch(10);
  PutInSpool(1, Report(3));
  PutInSpool(2, Report(4));
  Deliver(1, Report(3));
  EXPECT_EQ(Shown(), 17);
  Push(13, DateAt(1));
  EXPECT_EQ(Shown(), 17);
  Deliver(2, Report(4));
  EXPECT_EQ(Shown(), 17);
  Push(17, DateAt(2));
  EXPECT_EQ(Shown(), 17);
  time.Advance(Millis(3'000));
  EXPECT_FALSE(overlay.pending());
  EXPECT_EQ(Reconciled(Outcome::kExact), 2U);
}

TEST_F(UsageOverlayTest, WhatIsBuriedIsNotShownAnyMore) {
  Fetch(10);
  PutInSpool(1, Report(3));
  PutInSpool(2, Report(4));
  overlay.OnLost(1, Loss::kBuried);
  EXPECT_EQ(Shown(), 14);
  overlay.OnLost(2, Loss::kTooOld);
  overlay.OnLost(3, Loss::kBuried);  // of an event, or not known
  EXPECT_EQ(Shown(), 10);
  EXPECT_FALSE(overlay.pending());
  EXPECT_EQ(Reconciled(Outcome::kOver), 1U);
  EXPECT_EQ(Reconciled(Outcome::kExpired), 1U);
  EXPECT_EQ(metrics.usage_overlay_drift.load(), 7);
}

TEST_F(UsageOverlayTest, WhatIsSpooledWaitsForARecordToBeShownOn) {
  PutInSpool(1, Report(3));
  time.Advance(Millis(3'600'000));
  Fetch(10);
  EXPECT_EQ(Shown(), 13);
}

// What upstream acknowledged without a total.

TEST_F(UsageOverlayTest, AnAcknowledgementWithoutATotalIsShownAtOnce) {
  Fetch(10, DateAt(0));
  Acknowledge(Report(5));
  EXPECT_EQ(Shown(), 15);
  Push(15, DateAt(1));
  EXPECT_EQ(Shown(), 15);  // not twice
  Acknowledge(Report(5));
  EXPECT_EQ(Shown(), 20);
  Acknowledge(Set(30));
  EXPECT_EQ(Shown(), 30);
  Acknowledge(Set(3));
  EXPECT_EQ(Shown(), 30);
}

TEST_F(UsageOverlayTest, OneWithATotalNeedsNothing) {
  Fetch(10);
  Acknowledge(Report(5), 15);
  EXPECT_EQ(Shown(), 15);
  EXPECT_FALSE(overlay.pending());
}

TEST_F(UsageOverlayTest, ALaterTotalEndsWhatWasAcknowledgedBeforeItWasSent) {
  Fetch(10);
  Acknowledge(Report(5));
  Acknowledge(Report(1), 14);  // somebody has released 2
  EXPECT_EQ(Shown(), 14);
  EXPECT_FALSE(overlay.pending());
  EXPECT_EQ(Reconciled(Outcome::kOver), 1U);
  EXPECT_EQ(metrics.usage_overlay_drift.load(), 2);
}

TEST_F(UsageOverlayTest, ATotalThatMayNotHaveItGoesBelowIt) {
  Fetch(10);
  const uint64_t sent = overlay.Sending();
  Acknowledge(Report(5));
  AcknowledgeSent(Report(1), 11, sent);  // counted before the other
  EXPECT_EQ(Shown(), 16);
  Push(16, DateAt(1));
  time.Advance(Millis(3'000));
  EXPECT_EQ(Shown(), 16);
  EXPECT_FALSE(overlay.pending());
}

TEST_F(UsageOverlayTest, ASetIsRememberedWhileAnOlderOneMayArrive) {
  Fetch(65, DateAt(0));
  Acknowledge(Set(1));
  Acknowledge(Set(21));
  EXPECT_EQ(Shown(), 65);
  Push(1, DateAt(1));
  EXPECT_EQ(Shown(), 21);
  Push(21, DateAt(2));
  time.Advance(Millis(3'000));
  EXPECT_FALSE(overlay.pending());
  EXPECT_EQ(Shown(), 21);
  EXPECT_EQ(metrics.usage_overlay_drift.load(), 0);  // nothing was shown that was not so
}

/// Two that were under way together: upstream may have counted them in either order.
TEST_F(UsageOverlayTest, WhatWasAcknowledgedDuringASetMayComeOnTopOfIt) {
  Fetch(10);
  const uint64_t sent = overlay.Sending();
  Acknowledge(Report(4));
  AcknowledgeSent(Set(39), std::nullopt, sent);
  EXPECT_EQ(Shown(), 43);
  Acknowledge(Set(50));  // and this one came after both
  EXPECT_EQ(Shown(), 50);
}

TEST_F(UsageOverlayTest, APushOfTheSetDoesNotHideWhatMayComeOnTopOfIt) {
  Fetch(10, DateAt(0));
  const uint64_t sent = overlay.Sending();
  Acknowledge(Report(4));
  Push(39, DateAt(1));
  AcknowledgeSent(Set(39), std::nullopt, sent);
  EXPECT_EQ(Shown(), 43);
}

TEST_F(UsageOverlayTest, WhatIsAcknowledgedDuringTheDeliveryOfASetMayComeOnTopOfIt) {
  Fetch(10);
  PutInSpool(1, Set(39));
  Acknowledge(Report(4));
  EXPECT_EQ(Shown(), 43);
}

/// The answer to its first attempt was lost: upstream repeats what it said then.
TEST_F(UsageOverlayTest, ATotalFromTheSpoolMayBeOlderThanWhatWasAcknowledgedSince) {
  Fetch(10);
  PutInSpool(1, Report(-5));
  Acknowledge(Report(4));  // counted after it
  Deliver(1, Report(-5), 5);
  EXPECT_EQ(Shown(), 14);
  Push(9, DateAt(1));
  time.Advance(Millis(2'000));
  EXPECT_EQ(Shown(), 9);
}

TEST_F(UsageOverlayTest, APushFromBeforeDoesNotEndIt) {
  Fetch(10, DateAt(0));
  Acknowledge(Report(5));
  Push(9, DateAt(1));  // left upstream before the report came
  EXPECT_EQ(Shown(), 15);
  time.Advance(Millis(1'999));
  EXPECT_EQ(Shown(), 15);
  Push(14, DateAt(2));
  time.Advance(Millis(1));
  EXPECT_EQ(Shown(), 14);
  time.Advance(Millis(1'000));
  EXPECT_FALSE(overlay.pending());
  EXPECT_EQ(Reconciled(Outcome::kOver), 1U);
  EXPECT_EQ(metrics.usage_overlay_drift.load(), 1);
}

TEST_F(UsageOverlayTest, WhenUpstreamSaysNothingItEndsAfterHalfAMinute) {
  Fetch(10, DateAt(0));
  Acknowledge(Report(5));
  time.Advance(Millis(29'999));
  EXPECT_EQ(Shown(), 15);
  time.Advance(Millis(1));
  EXPECT_EQ(Shown(), 10);
  time.Advance(Millis(1'000));
  EXPECT_FALSE(overlay.pending());
  EXPECT_EQ(Reconciled(Outcome::kExpired), 1U);
  EXPECT_EQ(metrics.usage_overlay_drift.load(), 5);
  EXPECT_EQ(time.pending_timers(), 0U);
}

TEST_F(UsageOverlayTest, WhatOthersUsedIsAnOutcomeToo) {
  Fetch(10, DateAt(0));
  Acknowledge(Report(5));
  Push(18, DateAt(1));
  EXPECT_EQ(Shown(), 18);
  time.Advance(Millis(3'000));
  EXPECT_EQ(Reconciled(Outcome::kUnder), 1U);
  EXPECT_EQ(metrics.usage_overlay_drift.load(), 3);
}

/// A mistake upwards must not live on in what is acknowledged after it.
TEST_F(UsageOverlayTest, UnderASteadyFlowTheFigureComesDownAgain) {
  Fetch(10, DateAt(0));
  double truth = 10;
  Acknowledge(Report(-8));  // released, and shown when upstream says so
  truth -= 8;
  for (int i = 1; i <= 100; ++i) {
    Acknowledge(Report(1));
    truth += 1;
    EXPECT_GE(Shown(), truth);
    time.Advance(Millis(50));
    Push(truth, DateAt(i));
    time.Advance(Millis(50));
  }
  // What is in doubt is at most what was reported within the two seconds.
  EXPECT_LT(Shown(), truth + 8);
  time.Advance(Millis(2'000));
  EXPECT_EQ(Shown(), truth);
}

TEST_F(UsageOverlayTest, AFetchFromBeforeDoesNotEndIt) {
  Fetch(10, DateAt(0));
  time.Advance(Millis(10));
  const RecordDoor::Fetch fetch = door.StartFetch({"a", ""});
  time.Advance(Millis(10));
  Acknowledge(Report(5));
  time.Advance(Millis(5'000));
  FeatureEntitlement seats = testing::Metered("seats", 100, 11);  // somebody else's 1
  seats.usage_updated_at = DateAt(1);
  Land(fetch, seats);
  EXPECT_GE(Shown(), 15);
  time.Advance(Millis(1'000));
  EXPECT_EQ(Shown(), 16);
  Push(14, DateAt(2));
  EXPECT_EQ(Shown(), 14);
}

TEST_F(UsageOverlayTest, AFetchRightAfterItMayBeOlderThanIt) {
  Fetch(10, DateAt(0));
  Acknowledge(Report(5));
  time.Advance(Millis(1'000));
  Fetch(11, DateAt(1));
  time.Advance(Millis(2'000));
  EXPECT_GE(Shown(), 15);
  time.Advance(Millis(1'000));
  Fetch(12, DateAt(2));  // and one long after it is not
  EXPECT_EQ(Shown(), 12);
}

TEST_F(UsageOverlayTest, WithoutARecordTheFetchThatComesIsBelieved) {
  Acknowledge(Report(5));
  EXPECT_EQ(metrics.usage_overlay_pending.value(), 1U);
  time.Advance(Millis(1));
  Fetch(15);
  EXPECT_EQ(Shown(), 15);
  time.Advance(Millis(2'000));
  EXPECT_FALSE(overlay.pending());
}

TEST_F(UsageOverlayTest, WithoutARecordTheFetchThatWasUnderWayIsNot) {
  const RecordDoor::Fetch fetch = door.StartFetch({"a", ""});
  time.Advance(Millis(10));
  Acknowledge(Report(5));
  Acknowledge(Report(2));
  Land(fetch, testing::Metered("seats", 100, 10));
  EXPECT_EQ(Shown(), 17);
  time.Advance(Millis(1'000));
  EXPECT_EQ(Shown(), 17);
  Push(17, DateAt(1));
  EXPECT_EQ(Shown(), 17);
  time.Advance(Millis(3'000));
  EXPECT_FALSE(overlay.pending());
}

TEST_F(UsageOverlayTest, WithoutARecordItIsForgottenInTime) {
  Acknowledge(Report(5));
  time.Advance(Millis(31'000));
  EXPECT_FALSE(overlay.pending());
  EXPECT_EQ(time.pending_timers(), 0U);
}

TEST_F(UsageOverlayTest, EvictionDoesNotLoseIt) {
  Fetch(10, DateAt(0));
  Acknowledge(Report(5));
  cache.Erase({"a", ""});
  time.Advance(Millis(100));
  Fetch(10, DateAt(0));  // upstream has not caught up
  EXPECT_EQ(Shown(), 15);
}

// Many at once.

TEST_F(UsageOverlayTest, ManySpooledReportsAreAddedUpInAnyOrder) {
  Fetch(0, std::nullopt, "a", 1e9);
  for (uint64_t i = 1; i <= 2'000; ++i) PutInSpool(i % 2 == 0 ? i - 1 : i + 1, Report(1));
  PutInSpool(3'000, Set(5'000));
  PutInSpool(3'001, Report(1));
  UsageReport dated = Report(1);
  dated.created_at = time.WallNow();
  PutInSpool(3'002, dated);
  EXPECT_EQ(Shown(), 5'002);
  for (uint64_t i = 1; i <= 2'000; ++i) Deliver(i, Report(1), static_cast<double>(i));
  EXPECT_EQ(Shown(), 5'002);
  Deliver(3'000, Set(5'000), 5'000);
  Deliver(3'002, dated, 5'001);
  Deliver(3'001, Report(1), 5'002);
  EXPECT_EQ(Shown(), 5'002);
  EXPECT_FALSE(overlay.pending());
  EXPECT_EQ(metrics.usage_overlay_pending.value(), 0U);
}

TEST_F(UsageOverlayTest, AFloodOfAcknowledgementsIsTakenTogether) {
  Fetch(0, DateAt(0), "a", 1e9);
  for (int i = 1; i <= 10'000; ++i) {
    Acknowledge(Report(1));
    time.Advance(Millis(i % 10 == 0 ? 1 : 0));
    ASSERT_EQ(Shown(), i);
  }
  EXPECT_LT(metrics.usage_overlay_pending.value(), 70U);
  Push(10'000, DateAt(1));
  EXPECT_EQ(Shown(), 10'000);
  time.Advance(Millis(3'000));
  EXPECT_FALSE(overlay.pending());
  EXPECT_EQ(metrics.usage_overlay_drift.load(), 0);
}

// Usage periods.

class UsageOverlayPeriodTest : public UsageOverlayTest {
 protected:
  UsageOverlayPeriodTest() {
    period = {.reset = ResetPeriod::kHour, .anchor = start_, .start = start_, .end = start_ + Millis(3'600'000)};
    time.SetWall(start_ + Millis(3'599'000));  // a second before the end
  }
  const WallTime start_ = WallTimeFromEpochMs(1'795'255'200'000);
};

TEST_F(UsageOverlayPeriodTest, WhatWasCountedBeforeTheEndDoesNotCountAfterIt) {
  Fetch(10);
  Acknowledge(Report(5));
  EXPECT_EQ(Shown(), 15);
  time.Advance(Millis(1'000));
  EXPECT_EQ(Shown(), 15);  // the end itself belongs to the period
  time.Advance(Millis(1));
  EXPECT_EQ(Shown(), 0);
}

TEST_F(UsageOverlayPeriodTest, WhatIsCountedAfterTheEndIsAllThatCounts) {
  Fetch(10);
  Acknowledge(Report(5));
  time.Advance(Millis(1'500));
  Acknowledge(Report(2));
  Acknowledge(Report(1));
  EXPECT_EQ(Shown(), 3);
  EXPECT_EQ(View().period.start, start_ + Millis(3'600'000));
  EXPECT_EQ(View().period.end, start_ + Millis(7'200'000));
  // Upstream's word on the new period.
  period.start = start_ + Millis(3'600'000);
  period.end = start_ + Millis(7'200'000);
  Push(3, DateAt(1));
  time.Advance(Millis(3'000));
  EXPECT_EQ(Shown(), 3);
}

TEST_F(UsageOverlayPeriodTest, ANewPeriodThatIsPushedIsNotRaisedByTheOldOne) {
  Fetch(10);
  Acknowledge(Report(5));
  time.Advance(Millis(1'001));
  period.start = start_ + Millis(3'600'000);
  period.end = start_ + Millis(7'200'000);
  Push(0, DateAt(1));
  EXPECT_EQ(Shown(), 0);
}

TEST_F(UsageOverlayPeriodTest, ASpooledReportCountsInItsOwnPeriodOrWhereItIsDelivered) {
  Fetch(10);
  UsageReport dated = Report(5);
  dated.created_at = time.WallNow();
  PutInSpool(1, dated);
  PutInSpool(2, Report(2));
  EXPECT_EQ(Shown(), 17);
  time.Advance(Millis(1'001));
  EXPECT_EQ(Shown(), 2);  // the other will be counted when it is delivered
  period.start = start_ + Millis(3'600'000);
  period.end = start_ + Millis(7'200'000);
  Push(1, DateAt(1));
  EXPECT_EQ(Shown(), 3);
}

TEST_F(UsageOverlayPeriodTest, AReportAboutThePastDoesNotCountNow) {
  Fetch(10);
  UsageReport dated = Report(5);
  dated.created_at = start_ - Millis(1);
  Acknowledge(dated);
  EXPECT_EQ(Shown(), 10);
  EXPECT_FALSE(overlay.pending());
}

TEST_F(UsageOverlayPeriodTest, AnEndWithoutASeriesLeavesAnUnknownWindow) {
  period.anchor.reset();
  Fetch(10);
  time.Advance(Millis(1'001));
  Acknowledge(Report(5));
  EXPECT_EQ(Shown(), 5);
  EXPECT_FALSE(View().period.end.has_value());
}

// Bounds, and what is not about usage.

TEST_F(UsageOverlayTest, OnlyMeteredFeaturesAreRaised) {
  Fetch(10);
  UsageReport report = Report(5);
  for (const char* const feature : {"flag", "unheard-of"}) {
    report.feature_id = feature;
    Acknowledge(report);
    EXPECT_FALSE(overlay.pending());
    PutInSpool(1, report);
    EXPECT_EQ(View("a", feature).current_usage, 0);
    Deliver(1, report);
    EXPECT_FALSE(overlay.pending());
  }
  EXPECT_EQ(Shown(), 10);
}

TEST_F(UsageOverlayTest, CustomersAndResourcesAreKeptApart) {
  Fetch(10);
  UsageReport report = Report(5);
  report.key.resource_id = "site";
  PutInSpool(1, report);
  PutInSpool(2, Report(5, UsageUpdate::kDelta, "b"));
  EXPECT_EQ(Shown(), 10);
}

TEST(UsageOverlayBoundTest, WhatIsBeyondTheBoundIsRefusedAndCounted) {
  OverlayWorld world(2);
  world.Fetch(10);
  world.PutInSpool(1, OverlayWorld::Report(1));
  world.Acknowledge(OverlayWorld::Report(1));
  world.PutInSpool(2, OverlayWorld::Report(1));
  world.Acknowledge(OverlayWorld::Report(1));
  EXPECT_EQ(world.Shown(), 12);
  EXPECT_EQ(world.metrics.usage_overlay_refused.value(), 2U);
  EXPECT_EQ(world.metrics.usage_overlay_pending.value(), 2U);
  // A delivery of one that was refused takes away nothing, and a place is used again.
  world.Deliver(2, OverlayWorld::Report(1), 13);
  EXPECT_EQ(world.metrics.usage_overlay_pending.value(), 2U);
  world.Deliver(1, OverlayWorld::Report(1), 14);
  EXPECT_EQ(world.metrics.usage_overlay_pending.value(), 1U);
  world.Acknowledge(OverlayWorld::Report(1), 15);
  EXPECT_EQ(world.metrics.usage_overlay_pending.value(), 0U);
  EXPECT_EQ(world.Shown(), 15);
  world.PutInSpool(3, OverlayWorld::Report(1));
  EXPECT_EQ(world.Shown(), 16);
}

/// A read that holds the old record when a report stops being pending does not fall between the two.
TEST_F(UsageOverlayTest, ARecordThatWasReadBeforeIsNotShownWithoutIt) {
  Fetch(10);
  PutInSpool(1, Report(5));
  PutInSpool(2, Report(5, UsageUpdate::kDelta, "b"));
  const EpochDomain::Guard guard(epochs);
  const Record* const record = cache.Find({"a", ""});
  FeatureView view;
  record->ReadFeature(static_cast<size_t>(record->FindFeature("seats")), view);
  ASSERT_TRUE(overlay.pending());
  Deliver(1, Report(5), 15);
  overlay.Raise(*record, view, time.WallNow());
  EXPECT_EQ(view.current_usage, 15);
}

TEST_F(UsageOverlayTest, ReadersNeverSeeLessThanWasAcknowledged) {
  constexpr int kReports = 2'000;
  Fetch(0, std::nullopt, "a", 1e9);
  std::atomic<int> acknowledged{0};
  std::atomic<bool> stop{false};
  std::atomic<int> too_low{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      while (!stop.load()) {
        const int least = acknowledged.load();
        const bool pending = overlay.pending();
        const EpochDomain::Guard guard(epochs);
        const Record* const record = cache.Find({"a", ""});
        FeatureView view;
        record->ReadFeature(static_cast<size_t>(record->FindFeature("seats")), view);
        if (pending) overlay.Raise(*record, view, time.WallNow());
        if (view.current_usage < least) ++too_low;
      }
    });
  }
  for (int i = 1; i <= kReports; ++i) {
    switch (i % 3) {
      case 0:  // through the spool
        PutInSpool(static_cast<uint64_t>(i), Report(1));
        acknowledged = i;
        Deliver(static_cast<uint64_t>(i), Report(1), i);
        break;
      case 1:
        Acknowledge(Report(1));
        acknowledged = i;
        Push(i, DateAt(i));
        break;
      default:
        Acknowledge(Report(1), i);
        acknowledged = i;
    }
    time.Advance(Millis(10));  // sweeps, too
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(too_low.load(), 0);
  EXPECT_EQ(Shown(), kReports);
}

}  // namespace
}  // namespace sidecar
