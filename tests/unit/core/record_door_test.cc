#include "core/record_door.h"

#include <gtest/gtest.h>

#include "support/builders.h"
#include "support/definitions.h"
#include "support/sim_clock.h"

namespace sidecar {
namespace {

using testing::Credit;
using testing::FixedRandom;
using testing::Metered;
using testing::Of;
using testing::PlainDefinitions;
using testing::SimTime;
using Mode = RecordDoor::Mode;

class DoorTest : public ::testing::Test {
 protected:
  void Admit(const CustomerEntitlements& entitlements, Mode mode = Mode::kMerge) {
    door_.Admit(door_.StartFetch({"a", ""}), entitlements, mode);
  }

  CustomerEntitlements Held() {
    const EpochDomain::Guard guard(epochs_);
    const Record* const record = cache_.Find({"a", ""});
    return record == nullptr ? CustomerEntitlements{} : record->ToValue();
  }

  static FeatureEntitlement Dated(double usage, std::optional<WallTime> at) {
    FeatureEntitlement feature = Metered("f", 100, usage);
    feature.usage_updated_at = at;
    return feature;
  }

  static UsageReceipt Receipt(double usage, std::optional<WallTime> at) {
    return {.key = EntityKey("a", ""), .feature_id = "f", .current_usage = usage, .timestamp = at};
  }

  SimTime time_;
  FixedRandom random_;
  Definitions definitions_ = PlainDefinitions();
  EpochDomain epochs_;
  EntitlementCache cache_{{.limit_bytes = 8 << 20, .shards = 4}, epochs_, definitions_};
  LiveCover cover_;
  RecordDoor door_{cache_, time_, random_, cover_, {}};
};

TEST_F(DoorTest, AReceiptIsSeenAtOnce) {
  Admit(Of({Dated(3, testing::DateAt(0))}));
  UsageReceipt receipt = Receipt(4, testing::DateAt(1));
  receipt.period_start = testing::DateAt(-100);
  receipt.period_end = testing::DateAt(100);
  door_.Apply(receipt);
  const FeatureEntitlement feature = Held().features[0];
  EXPECT_EQ(feature.current_usage, 4);
  EXPECT_EQ(feature.period.start, testing::DateAt(-100));
  EXPECT_EQ(feature.period.end, testing::DateAt(100));
  EXPECT_EQ(feature.usage_updated_at, testing::DateAt(1));
}

TEST_F(DoorTest, AnOlderReceiptChangesNothing) {
  Admit(Of({Dated(3, testing::DateAt(10))}));
  door_.Apply(Receipt(2, testing::DateAt(9)));
  EXPECT_EQ(Held().features[0].current_usage, 3);
}

TEST_F(DoorTest, EqualAndUndatedReceiptsReplace) {
  Admit(Of({Dated(3, testing::DateAt(10))}));
  door_.Apply(Receipt(4, testing::DateAt(10)));
  EXPECT_EQ(Held().features[0].current_usage, 4);
  door_.Apply(Receipt(5, std::nullopt));
  EXPECT_EQ(Held().features[0].current_usage, 5);
  EXPECT_EQ(Held().features[0].usage_updated_at, testing::DateAt(10));
}

TEST_F(DoorTest, AReceiptDuringAReadOfTheSharedStoreIsKeptThroughAnOlderFetch) {
  const RecordDoor::Fetch older = door_.StartFetch({"a", ""});
  {
    const RecordDoor::Fetch read = door_.StartFetch({"a", ""});
    door_.Apply(Receipt(4, std::nullopt));
    door_.AdmitShared(read, {.entitlements = Of({Dated(3, testing::DateAt(0))}), .age = std::nullopt});
  }
  EXPECT_EQ(Held().features[0].current_usage, 4);
  const EpochDomain::Guard guard(epochs_);
  EXPECT_TRUE(cache_.Find({"a", ""})->changed_at().has_value());
}

TEST_F(DoorTest, AReceiptWithoutTotalChangesNothing) {
  Admit(Of({Dated(3, testing::DateAt(0))}));
  UsageReceipt receipt = Receipt(0, testing::DateAt(1));
  receipt.current_usage.reset();
  door_.Apply(receipt);
  EXPECT_EQ(Held().features[0].current_usage, 3);
}

TEST_F(DoorTest, AReceiptForWhatIsNotHeldIsIgnored) {
  door_.Apply(Receipt(4, testing::DateAt(1)));
  EXPECT_TRUE(Held().empty());
  Admit(Of({Metered("other", 1, 0)}));
  door_.Apply(Receipt(4, testing::DateAt(1)));
  EXPECT_EQ(Held().features.size(), 1U);
}

TEST_F(DoorTest, AReceiptKeepsTheRecordAsOldAsItWas) {
  Admit(Of({Dated(3, testing::DateAt(0))}));
  const MonoTime fetched = time_.Now();
  time_.Advance(Millis(5'000));
  {
    const EpochDomain::Guard guard(epochs_);
    cache_.Find({"a", ""})->suspect = true;
  }
  door_.Apply(Receipt(4, testing::DateAt(1)));
  const EpochDomain::Guard guard(epochs_);
  EXPECT_EQ(cache_.Find({"a", ""})->fetched_at(), fetched);
  EXPECT_TRUE(cache_.Find({"a", ""})->suspect);
}

TEST_F(DoorTest, AFetchThatBeganBeforeAReceiptDoesNotHideIt) {
  Admit(Of({Dated(3, testing::DateAt(0))}));
  const RecordDoor::Fetch fetch = door_.StartFetch({"a", ""});
  time_.Advance(Millis(10));
  door_.Apply(Receipt(4, testing::DateAt(10)));
  FeatureEntitlement fetched = Dated(3, testing::DateAt(0));
  fetched.usage_limit = 200;
  door_.Admit(fetch, Of({fetched}), Mode::kMerge);
  EXPECT_EQ(Held().features[0].current_usage, 4);
  EXPECT_EQ(Held().features[0].usage_limit, 200);
}

TEST_F(DoorTest, AFirstFetchThatBeganBeforeReceiptsDoesNotHideThem) {
  FeatureEntitlement other = Metered("other", 10, 1);
  {
    const RecordDoor::Fetch fetch = door_.StartFetch({"a", ""});
    door_.Apply(Receipt(5, testing::DateAt(11)));
    door_.Apply(Receipt(4, testing::DateAt(10)));  // overtaken on its way
    door_.Admit(fetch, Of({Dated(3, testing::DateAt(0)), other}), Mode::kMerge);
  }
  EXPECT_EQ(Held().features[0].current_usage, 5);
  EXPECT_EQ(Held().features[1].current_usage, 1);
  // Only what is acknowledged while a fetch is under way is kept for it.
  cache_.Erase({"a", ""});
  Admit(Of({Dated(3, testing::DateAt(0))}));
  EXPECT_EQ(Held().features[0].current_usage, 3);
}

TEST_F(DoorTest, AFetchThatCountedAReceiptAlreadyStands) {
  const RecordDoor::Fetch fetch = door_.StartFetch({"a", ""});
  door_.Apply(Receipt(4, testing::DateAt(10)));
  door_.Admit(fetch, Of({Dated(9, testing::DateAt(11))}), Mode::kMerge);
  EXPECT_EQ(Held().features[0].current_usage, 9);
}

TEST_F(DoorTest, AFetchThatBeganBeforeAReloadDoesNotUndoIt) {
  const RecordDoor::Fetch fetch = door_.StartFetch({"a", ""});
  time_.Advance(Millis(1));
  Admit(Of({Metered("f", 9, 0)}), Mode::kReplace);
  door_.Admit(fetch, Of({Metered("f", 6, 0)}), Mode::kMerge);
  EXPECT_EQ(Held().features[0].usage_limit, 9);
}

TEST_F(DoorTest, AFetchWithNewerUsageReplacesAReceipt) {
  Admit(Of({Dated(3, testing::DateAt(0))}));
  door_.Apply(Receipt(4, testing::DateAt(10)));
  Admit(Of({Dated(9, testing::DateAt(11))}));
  EXPECT_EQ(Held().features[0].current_usage, 9);
}

TEST_F(DoorTest, AFetchAMinuteLaterIsTrustedInFull) {
  Admit(Of({Dated(3, testing::DateAt(0))}));
  door_.Apply(Receipt(4, testing::DateAt(1'000'000)));  // a clock far ahead must not pin it for ever
  time_.Advance(Millis(59'999));
  Admit(Of({Dated(5, testing::DateAt(5))}));
  EXPECT_EQ(Held().features[0].current_usage, 4);
  time_.Advance(Millis(1));
  Admit(Of({Dated(5, testing::DateAt(5))}));
  EXPECT_EQ(Held().features[0].current_usage, 5);
}

TEST_F(DoorTest, AReloadReplacesWhateverIsHeld) {
  Admit(Of({Dated(3, testing::DateAt(0))}));
  door_.Apply(Receipt(4, testing::DateAt(10)));
  Admit(Of({Dated(1, testing::DateAt(0))}), Mode::kReplace);
  EXPECT_EQ(Held().features[0].current_usage, 1);
  const RecordDoor::Fetch reload = door_.StartFetch({"a", ""});
  door_.Apply(Receipt(2, testing::DateAt(20)));
  door_.Admit(reload, Of({Dated(1, testing::DateAt(0))}), Mode::kReplace);
  EXPECT_EQ(Held().features[0].current_usage, 2) << "acknowledged after the reload began";
}

TEST_F(DoorTest, ACreditReceiptMovesTheBalance) {
  FeatureEntitlement paid = Dated(0, testing::DateAt(0));
  paid.credit_rate = CreditRate{2.5, "credits"};
  FeatureEntitlement other = Metered("other", 5, 0);
  FeatureEntitlement revoked = Metered("revoked", 5, 0);
  revoked.credit_rate = CreditRate{1, "credits"};
  revoked.denied_reason = DeniedReason::kRevoked;
  Admit(Of({paid, other, revoked}, {Credit("credits", 10, 7.5)}));

  UsageReceipt exhausting = Receipt(1, testing::DateAt(1));
  exhausting.credit =
      UsageReceipt::Credit{.currency_id = "credits", .current_usage = 10, .timestamp = testing::DateAt(1)};
  door_.Apply(exhausting);
  CustomerEntitlements held = Held();
  EXPECT_EQ(held.credits[0].current_usage, 10);
  EXPECT_EQ(held.features[0].denied_reason, DeniedReason::kNone) << "decided on each read, from the balance";
  EXPECT_EQ(held.features[1].denied_reason, DeniedReason::kNone);

  UsageReceipt refill = Receipt(1, testing::DateAt(2));
  refill.credit = UsageReceipt::Credit{.currency_id = "credits", .current_usage = 5, .timestamp = testing::DateAt(2)};
  door_.Apply(refill);
  held = Held();
  EXPECT_EQ(held.credits[0].current_usage, 5);
  EXPECT_EQ(held.features[2].denied_reason, DeniedReason::kRevoked);
}

TEST_F(DoorTest, RecordsTurnSuspectAfterTheTtlAndEmptyOnesNoLater) {
  Admit(Of({Dated(3, testing::DateAt(0))}));
  const EpochDomain::Guard guard(epochs_);
  EXPECT_EQ(cache_.Find({"a", ""})->suspect_at(), time_.Now() + Millis(30'000));
}

TEST(SuspectAtTest, NegativeRecordsAreJitteredByTwentyPercent) {
  FreshnessSettings settings{.ttl = Millis(3'600'000)};
  const MonoTime now{Millis(0)};
  FixedRandom low(0);
  FixedRandom high(1);
  EXPECT_EQ(SuspectAt(settings, now, true, false, low), now + Millis(48'000));
  EXPECT_EQ(SuspectAt(settings, now, true, false, high), now + Millis(72'000));
  EXPECT_EQ(SuspectAt(settings, now, false, false, low), now + Millis(3'600'000));
}

}  // namespace
}  // namespace sidecar
