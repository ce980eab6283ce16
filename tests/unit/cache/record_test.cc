#include "cache/record.h"

#include <gtest/gtest.h>

#include <string>

#include "adapters/json/json.h"
#include "support/builders.h"
#include "support/definitions.h"

namespace sidecar {
namespace {

using testing::Boolean;
using testing::Credit;
using testing::Enum;
using testing::Metered;
using testing::Of;
using testing::PlainDefinitions;

class RecordTest : public ::testing::Test {
 protected:
  RecordPtr Build(const CustomerEntitlements& entitlements, EntityKeyView key = {"cust", ""}, RecordStamp stamp = {}) {
    return Record::Build(key, entitlements, stamp, definitions_);
  }

  Definitions definitions_ = PlainDefinitions();
};

/// Everything that an entitlement may have.
CustomerEntitlements Everything() {
  FeatureEntitlement calls = Metered("calls", 1000, 420.5);
  calls.soft_limit = true;
  calls.denied_reason = DeniedReason::kBudgetExceeded;
  calls.period = {.reset = ResetPeriod::kWeek,
                  .reset_anchor = ResetAnchor::kWeekEverySaturday,
                  .anchor = ParseDate("1970-01-01T00:00:00Z"),
                  .start = ParseDate("1965-06-01T12:00:00.001Z"),
                  .end = ParseDate("9999-12-31T23:59:59.999Z")};
  calls.usage_updated_at = ParseDate("2026-03-04T17:40:11.512Z");
  calls.valid_until = ParseDate("2026-12-01T00:00:00Z");
  calls.credit_rate = CreditRate{2.5, "credits"};
  FeatureEntitlement unlimited = Metered("storage", std::nullopt, 98765.5);
  unlimited.unlimited = true;
  FeatureEntitlement regions = Enum("regions", {"eu-central", "", "us-east"});
  CreditEntitlement credits = Credit("credits", 500, 120.25);
  credits.denied_reason = DeniedReason::kRevoked;
  credits.soft_limit = true;
  credits.usage_period_end = ParseDate("2026-12-01T00:00:00Z");
  credits.valid_until = ParseDate("2027-01-01T00:00:00Z");
  credits.usage_updated_at = ParseDate("2026-11-01T00:00:00Z");
  credits.currency.description = "For drafts";
  CustomerEntitlements all = Of({Boolean("sso"), calls, unlimited, regions}, {credits, Credit("other", 1, 0)});
  all.denied_reason = DeniedReason::kNoActiveSubscription;
  all.updated_at = ParseDate("2026-03-02T09:15:30.250Z");
  return all;
}

TEST_F(RecordTest, GivesBackWhatItWasBuiltFrom) {
  const CustomerEntitlements all = Everything();
  const RecordPtr record = Build(all);
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->ToValue(), all);
}

TEST_F(RecordTest, KeepsKeyAndStamp) {
  const RecordStamp stamp{.origin = RecordOrigin::kRedis,
                          .fetched_at = MonoTime(Millis(5)),
                          .fetched_at_wall = WallTimeFromEpochMs(6),
                          .suspect_at = MonoTime(Millis(7)),
                          .changed_at = MonoTime(Millis(8))};
  const RecordPtr record = Build({}, {"cust", "site"}, stamp);
  EXPECT_TRUE(record->KeyEquals({"cust", "site"}));
  EXPECT_FALSE(record->KeyEquals({"custs", "ite"}));
  EXPECT_FALSE(record->KeyEquals({"cust", ""}));
  EXPECT_EQ(record->fetched_at(), stamp.fetched_at);
  EXPECT_EQ(record->fetched_at_wall(), stamp.fetched_at_wall);
  EXPECT_EQ(record->suspect_at(), stamp.suspect_at);
  EXPECT_EQ(record->changed_at(), stamp.changed_at);
  EXPECT_EQ(record->origin(), RecordOrigin::kRedis);
  EXPECT_TRUE(record->empty());
  EXPECT_EQ(record->updated_at(), std::nullopt);
}

TEST_F(RecordTest, FindsFeaturesAndCreditsById) {
  const RecordPtr record = Build(Everything());
  EXPECT_EQ(record->FindFeature("sso"), 0);
  EXPECT_EQ(record->FindFeature("regions"), 3);
  EXPECT_EQ(record->FindFeature("credits"), -1);
  EXPECT_EQ(record->FindFeature(""), -1);
  EXPECT_EQ(record->FindCredit("other"), 1);
  EXPECT_EQ(record->FindCredit("sso"), -1);
}

TEST_F(RecordTest, FindsEachOfManyFeatures) {
  std::vector<FeatureEntitlement> features;
  for (int i = 0; i < 1000; ++i) features.push_back(Metered("feature-" + std::to_string(i), i, 0));
  const RecordPtr record = Build(Of(features));
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(record->FindFeature("feature-" + std::to_string(i)), i);
  EXPECT_EQ(record->FindFeature("feature-1000"), -1);
}

TEST_F(RecordTest, ViewsShowTheCreditThatPays) {
  FeatureEntitlement drafts = Metered("drafts", std::nullopt, 0);
  drafts.credit_rate = CreditRate{1, "credits"};
  FeatureEntitlement orphan = Metered("orphan", std::nullopt, 0);
  orphan.credit_rate = CreditRate{1, "not-here"};
  CreditEntitlement credits = Credit("credits", 500, 120);
  credits.soft_limit = true;
  const RecordPtr record = Build(Of({drafts, orphan}, {Credit("first", 1, 0), credits}));
  FeatureView view;
  record->ReadFeature(0, view);
  ASSERT_TRUE(view.credit.has_value());
  EXPECT_EQ(view.credit->remaining, 380);
  EXPECT_TRUE(view.credit->soft_limit);
  record->ReadFeature(1, view);
  EXPECT_FALSE(view.credit.has_value());
}

TEST_F(RecordTest, AViewIsCompletelyOverwritten) {
  const RecordPtr record = Build(Everything());
  FeatureView reused;
  FeatureView fresh;
  for (size_t i = 0; i < record->feature_count(); ++i) record->ReadFeature(i, reused);
  record->ReadFeature(0, reused);
  record->ReadFeature(0, fresh);
  EXPECT_EQ(reused.enum_values, fresh.enum_values);
  EXPECT_EQ(reused.valid_until, fresh.valid_until);
  EXPECT_EQ(reused.credit.has_value(), fresh.credit.has_value());
  EXPECT_EQ(reused.usage_limit, fresh.usage_limit);
}

TEST_F(RecordTest, OfTwoEntriesWithOneIdTheLaterWinsInTheEarliersPlace) {
  const RecordPtr record = Build(Of({Metered("a", 1, 0), Boolean("b"), Metered("a", 2, 0)}));
  ASSERT_EQ(record->feature_count(), 2U);
  EXPECT_EQ(record->ToValue().features[0].usage_limit, 2);
}

TEST_F(RecordTest, DatesOutOfRangeAreAbsent) {
  FeatureEntitlement calls = Metered("calls", 1, 0);
  calls.period.start = WallTimeFromEpochMs(kMinEpochMs - 1);
  calls.period.end = WallTimeFromEpochMs(kMaxEpochMs + 1);
  const CustomerEntitlements value = Build(Of({calls}))->ToValue();
  EXPECT_EQ(value.features[0].period.start, std::nullopt);
  EXPECT_EQ(value.features[0].period.end, std::nullopt);
}

TEST_F(RecordTest, RefusesWhatDoesNotFitTheFormat) {
  EXPECT_EQ(Build(Of({Enum("e", {std::string(70'000, 'x')})})), nullptr);
  EXPECT_EQ(Build({}, {std::string(70'000, 'c'), ""}), nullptr);
  const std::vector<std::string> values(5000, std::string(4000, 'x'));
  EXPECT_EQ(Build(Of({Enum("e", values)})), nullptr);  // 20 MB of side data
}

TEST_F(RecordTest, DefinitionsAreSharedAndGivenBack) {
  {
    const RecordPtr one = Build(Everything());
    const RecordPtr two = Build(Everything(), {"other", ""});
    EXPECT_EQ(definitions_.features.size(), 4U);
    EXPECT_EQ(definitions_.currencies.size(), 2U);
  }
  EXPECT_EQ(definitions_.features.size(), 0U);
  EXPECT_EQ(definitions_.currencies.size(), 0U);
  EXPECT_EQ(definitions_.bytes(), 0U);
}

TEST_F(RecordTest, DefinitionsThatDifferInUnitsAreNotShared) {
  FeatureEntitlement other = Metered("calls", 1, 0);
  other.feature.units = "request";
  const RecordPtr one = Build(Of({Metered("calls", 1, 0)}));
  const RecordPtr two = Build(Of({other}));
  EXPECT_EQ(definitions_.features.size(), 2U);
}

TEST_F(RecordTest, ExpiryLooksAtEveryEntitlement) {
  FeatureEntitlement trial = Boolean("trial");
  trial.valid_until = WallTimeFromEpochMs(2000);
  const RecordStamp stamp{.fetched_at_wall = WallTimeFromEpochMs(1000)};
  const RecordPtr record = Build(Of({Boolean("sso"), trial}), {"c", ""}, stamp);
  EXPECT_FALSE(record->AnyExpired(WallTimeFromEpochMs(1999)));
  EXPECT_TRUE(record->AnyExpired(WallTimeFromEpochMs(2000)));
  CreditEntitlement promo = Credit("promo", 5, 0);
  promo.valid_until = WallTimeFromEpochMs(2000);
  EXPECT_TRUE(Build(Of({}, {promo}), {"c", ""}, stamp)->AnyExpired(WallTimeFromEpochMs(2000)));
}

TEST_F(RecordTest, AmendedRecordsTakeOverTheRefreshState) {
  const RecordPtr before = Build({});
  before->suspect = true;
  before->refresh_failures = 3;
  before->refresh_not_before_ms = 42;
  const RecordPtr after = Build({});
  after->TakeRefreshState(*before);
  EXPECT_TRUE(after->suspect);
  EXPECT_EQ(after->refresh_failures, 3);
  EXPECT_EQ(after->refresh_not_before_ms, 42);
}

}  // namespace
}  // namespace sidecar
