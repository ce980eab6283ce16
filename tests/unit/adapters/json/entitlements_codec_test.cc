#include "adapters/json/entitlements_codec.h"

#include <gtest/gtest.h>

#include "support/fixtures.h"
#include "support/status_matchers.h"

namespace sidecar {
namespace {

using testing::FailsWith;
using testing::Fixture;
using testing::IsOk;

using testing::kInvalid;

Json DataOf(const std::string& text) { return (*ParseJson(text))["data"]; }

const FeatureEntitlement& Feature(const CustomerEntitlements& entitlements, std::string_view id) {
  for (const FeatureEntitlement& feature : entitlements.features) {
    if (feature.feature.id == id) return feature;
  }
  ADD_FAILURE() << "no feature " << id;
  static const FeatureEntitlement kNone;
  return kNone;
}

/// The same customer, as both generations tell it.
class Fixtures : public ::testing::TestWithParam<Generation> {
 protected:
  CustomerEntitlements Decode() {
    const bool v1 = GetParam() == Generation::kV1;
    const Json data = DataOf(Fixture(v1 ? "edge-entitlements.json" : "edge-entitlements-state.json"));
    const auto decoded = v1 ? DecodeEntitlementsV1(data) : DecodeEntitlementsV2(data);
    EXPECT_THAT(decoded, IsOk());
    EXPECT_EQ(decoded->skipped, 0U);
    return decoded->entitlements;
  }
};

TEST_P(Fixtures, BooleanIsRead) {
  const CustomerEntitlements all = Decode();
  const FeatureEntitlement& sso = Feature(all, "feature-sso");
  EXPECT_EQ(sso.feature.type, FeatureType::kBoolean);
  EXPECT_EQ(sso.feature.meter, MeterType::kNone);
  EXPECT_EQ(sso.denied_reason, DeniedReason::kNone);
  EXPECT_EQ(sso.usage_limit, std::nullopt);
}

TEST_P(Fixtures, NumericIsRead) {
  const CustomerEntitlements all = Decode();
  const FeatureEntitlement& upload = Feature(all, "feature-upload-size");
  EXPECT_EQ(upload.usage_limit, 250);
  EXPECT_EQ(upload.feature.units, "MB");
  EXPECT_EQ(KindOf(upload.feature.type, upload.feature.meter), EntitlementKind::kNumeric);
}

TEST_P(Fixtures, MeteredIsReadWithItsPeriod) {
  const CustomerEntitlements all = Decode();
  const FeatureEntitlement& calls = Feature(all, "feature-api-calls");
  EXPECT_EQ(calls.usage_limit, 1000);
  EXPECT_EQ(calls.current_usage, 420);
  EXPECT_EQ(calls.feature.meter, MeterType::kIncremental);
  EXPECT_EQ(calls.feature.units_plural, "calls");
  EXPECT_EQ(calls.period.reset, ResetPeriod::kMonth);
  EXPECT_EQ(calls.period.reset_anchor, ResetAnchor::kMonthSubscriptionStart);
  EXPECT_EQ(FormatDate(*calls.period.anchor), "2025-11-01T00:00:00.000Z");
  EXPECT_EQ(FormatDate(*calls.period.end), "2096-12-01T00:00:00.000Z");
  EXPECT_EQ(FormatDate(*calls.usage_updated_at), "2026-03-04T17:40:11.512Z");
}

TEST_P(Fixtures, UnlimitedSoftAndFractionsAreRead) {
  const CustomerEntitlements all = Decode();
  EXPECT_TRUE(Feature(all, "feature-storage").unlimited);
  EXPECT_EQ(Feature(all, "feature-storage").current_usage, 98765.5);
  EXPECT_TRUE(Feature(all, "feature-exports").soft_limit);
}

TEST_P(Fixtures, EnumValuesAreRead) {
  EXPECT_EQ(Feature(Decode(), "feature-regions").enum_values, (std::vector<std::string>{"eu-central", "us-east"}));
}

TEST_P(Fixtures, CreditRateAndReasonAreRead) {
  const CustomerEntitlements all = Decode();
  const FeatureEntitlement& drafts = Feature(all, "feature-ai-drafts");
  EXPECT_EQ(drafts.credit_rate, (CreditRate{2.5, "credits-ai"}));
}

TEST_P(Fixtures, TheListIsDatedByItsFirstValidDate) {
  EXPECT_EQ(FormatDate(*Decode().updated_at), "2026-03-02T09:15:30.250Z");
}

INSTANTIATE_TEST_SUITE_P(BothGenerations, Fixtures, ::testing::Values(Generation::kV1, Generation::kV2),
                         [](const auto& param) { return param.param == Generation::kV1 ? "V1" : "V2"; });

TEST(DecodeV2, ReadsCredits) {
  const auto decoded = DecodeEntitlementsV2(DataOf(Fixture("edge-entitlements-state.json")));
  ASSERT_THAT(decoded, IsOk());
  ASSERT_FALSE(decoded->entitlements.credits.empty());
  const CreditEntitlement& credits = decoded->entitlements.credits[0];
  EXPECT_EQ(credits.currency.id, "credits-ai");
  EXPECT_GT(credits.usage_limit, 0);
}

TEST(DecodeV2, AnEmptyStateCarriesItsReason) {
  EXPECT_EQ(DecodeEntitlementsV2(DataOf(Fixture("edge-entitlements-state-customer-not-found.json")))
                ->entitlements.denied_reason,
            DeniedReason::kCustomerNotFound);
  EXPECT_EQ(
      DecodeEntitlementsV2(DataOf(Fixture("edge-entitlements-state-no-subscription.json")))->entitlements.denied_reason,
      DeniedReason::kNoActiveSubscription);
}

TEST(DecodeV1, AnEmptyListMeansAnUnknownCustomer) {
  const auto decoded = DecodeEntitlementsV1(DataOf(Fixture("edge-entitlements-empty.json")));
  ASSERT_THAT(decoded, IsOk());
  EXPECT_TRUE(decoded->entitlements.empty());
  EXPECT_EQ(decoded->entitlements.denied_reason, DeniedReason::kCustomerNotFound);
}

TEST(DecodeV1, GraphqlAnswersHaveTheSameShape) {
  EXPECT_EQ(DecodeEntitlementsV1(DataOf(Fixture("graphql-entitlements.json")))->entitlements,
            DecodeEntitlementsV1(DataOf(Fixture("edge-entitlements.json")))->entitlements);
}

/// One V1 list with a single element made of these members.
absl::StatusOr<DecodedEntitlements> DecodeElement(const std::string& members) {
  return DecodeEntitlementsV1(DataOf(R"({"data":{"entitlements":[{)" + members + "}]}}"));
}

constexpr char kFeature[] = R"("feature":{"refId":"f","featureType":"NUMBER","meterType":"Incremental"})";

TEST(DecodeTolerantly, OnlyAFewMembersAreIndispensable) {
  const auto decoded = DecodeElement(kFeature);
  ASSERT_THAT(decoded, IsOk());
  EXPECT_EQ(decoded->entitlements.features[0].current_usage, 0);
}

TEST(DecodeTolerantly, UnknownEnumValuesLeaveTheEntryUsable) {
  const auto decoded = DecodeElement(R"("accessDeniedReason":"NewIn2027","resetPeriod":"DECADE","extra":{"x":[1]},)"
                                     R"("feature":{"refId":"f","featureType":"VECTOR","meterType":"Quantum"})");
  ASSERT_THAT(decoded, IsOk());
  const FeatureEntitlement& feature = decoded->entitlements.features[0];
  EXPECT_EQ(feature.feature.type, FeatureType::kUnspecified);
  EXPECT_EQ(feature.feature.meter, MeterType::kUnspecified);
  EXPECT_EQ(feature.denied_reason, DeniedReason::kUnknown);
  EXPECT_EQ(feature.period.reset, ResetPeriod::kNone);
}

TEST(DecodeTolerantly, ANullMeterIsNone) {
  const auto decoded = DecodeElement(R"("feature":{"refId":"f","featureType":"NUMBER","meterType":null})");
  EXPECT_EQ(decoded->entitlements.features[0].feature.meter, MeterType::kNone);
}

TEST(DecodeTolerantly, DatesAreTextsOrNumbers) {
  const auto decoded =
      DecodeElement(std::string(kFeature) + R"(,"validUntil":1793491200000,"usagePeriodEnd":"2026-11-01T00:00:00Z")");
  ASSERT_THAT(decoded, IsOk());
  EXPECT_EQ(decoded->entitlements.features[0].valid_until, decoded->entitlements.features[0].period.end);
}

TEST(DecodeTolerantly, NextResetDateStandsInForAnAbsentPeriodEnd) {
  const auto decoded = DecodeElement(std::string(kFeature) + R"(,"nextResetDate":"2026-11-01T00:00:00Z")");
  EXPECT_EQ(FormatDate(*decoded->entitlements.features[0].period.end), "2026-11-01T00:00:00.000Z");
}

TEST(DecodeTolerantly, AnUnreadableDateIsAbsent) {
  const auto decoded = DecodeElement(std::string(kFeature) + R"(,"usageUpdatedAt":"soon")");
  ASSERT_THAT(decoded, IsOk());
  EXPECT_EQ(decoded->entitlements.features[0].usage_updated_at, std::nullopt);
}

TEST(DecodeTolerantly, ElementsWithoutFeatureOrOfANewKindAreSkippedAndCounted) {
  const auto decoded = DecodeEntitlementsV2(DataOf(
      R"({"data":{"entitlementsState":{"accessDeniedReason":null,"entitlementsV2":[
          {"__typename":"FeatureEntitlement","feature":null},
          {"__typename":"FeatureEntitlement","feature":{"featureType":"BOOLEAN"}},
          {"__typename":"CreditEntitlement"},
          {"__typename":"SomethingElse","usageLimit":5},
          {"__typename":"FeatureEntitlement","feature":{"refId":"f","featureType":"BOOLEAN"}}]}}})"));
  ASSERT_THAT(decoded, IsOk());
  EXPECT_EQ(decoded->skipped, 4U);
  EXPECT_EQ(decoded->entitlements.features.size(), 1U);
}

TEST(DecodeStrictly, AWrongTypeRefusesTheWholeAnswer) {
  EXPECT_THAT(DecodeElement(std::string(kFeature) + R"(,"usageLimit":"5")"),
              FailsWith(kInvalid, "data.entitlements[0].usageLimit: expected a number, got a string"));
  EXPECT_THAT(DecodeElement(std::string(kFeature) + R"(,"enumValues":[1])"), FailsWith(kInvalid, "enumValues"));
  EXPECT_THAT(DecodeElement(R"("feature":[])"), FailsWith(kInvalid, "feature: expected an object"));
  EXPECT_THAT(DecodeElement(std::string(kFeature) + R"(,"creditRate":{"amount":"x"})"),
              FailsWith(kInvalid, "creditRate.amount"));
  EXPECT_THAT(DecodeElement(std::string(kFeature) + R"(,"usagePeriodEnd":true)"),
              FailsWith(kInvalid, "expected a date"));
}

TEST(DecodeStrictly, AMissingListIsNoAnswer) {
  EXPECT_THAT(DecodeEntitlementsV1(*ParseJson("{}")), FailsWith(kInvalid, "data.entitlements"));
  EXPECT_THAT(DecodeEntitlementsV1(*ParseJson(R"({"entitlements":null})")), FailsWith(kInvalid, "data.entitlements"));
  EXPECT_THAT(DecodeEntitlementsV2(*ParseJson(R"({"entitlementsState":null})")),
              FailsWith(kInvalid, "entitlementsState"));
  EXPECT_THAT(DecodeEntitlementsV2(*ParseJson(R"({"entitlementsState":{}})")), FailsWith(kInvalid, "entitlementsV2"));
  EXPECT_THAT(DecodeEntitlementsV2(*ParseJson(R"({"entitlementsState":{"entitlementsV2":5}})")),
              FailsWith(kInvalid, "an array"));
  EXPECT_THAT(DecodeEntitlementsV1(*ParseJson("[]")), FailsWith(kInvalid, "expected an object"));
}

}  // namespace
}  // namespace sidecar
