#include "adapters/redis/redis_codec.h"

#include <gtest/gtest.h>

#include "adapters/json/json.h"
#include "core/record_changes.h"
#include "support/fixtures.h"
#include "support/status_matchers.h"

namespace sidecar {
namespace {

using testing::Fixture;
using testing::IsOk;

const EntityKey kCustomer("cust-northwind", "");
const EntityKey kResource("cust-northwind", "site-eu-1");

/// A value of the dump that the vendor's engine wrote.
std::string Dumped(const std::string& key) {
  static const Json dump = *ParseJson(Fixture("redis-dump-v1-layout.json"));
  return dump.at("production:" + key).at("value").get<std::string>();
}

const FeatureEntitlement& Feature(const CustomerEntitlements& value, std::string_view id) {
  for (const FeatureEntitlement& feature : value.features) {
    if (feature.feature.id == id) return feature;
  }
  throw std::out_of_range(std::string(id));
}

TEST(RedisCodecTest, WritesWhatTheVendorsEngineWrites) {
  for (const auto& [key, name] :
       {std::pair{kCustomer, "c_cust-northwind"}, {kResource, "c_cust-northwind:r_site-eu-1"}}) {
    const absl::StatusOr<CustomerEntitlements> list = DecodeList(Dumped(name));
    ASSERT_THAT(list, IsOk());
    EXPECT_EQ(EncodeList(key.view(), *list), Dumped(name));
  }
  EXPECT_EQ(EncodeList(kCustomer.view(), {}), Dumped("c_cust-unknown"));
}

TEST(RedisCodecTest, WritesUsageAsTheVendorsEngineDoes) {
  FeatureEntitlement feature;
  ASSERT_THAT(DecodeUsage(Dumped("c_cust-northwind:f_feature-api-calls"), feature), IsOk());
  EXPECT_EQ(feature.current_usage, 423);
  EXPECT_EQ(EncodeUsage(feature.current_usage, feature.period.start, feature.period.end),
            Dumped("c_cust-northwind:f_feature-api-calls"));
  EXPECT_EQ(EncodeUsage(98765.5, std::nullopt, std::nullopt), Dumped("c_cust-northwind:f_feature-storage"));
}

TEST(RedisCodecTest, ReadsTheOldLayout) {
  const absl::StatusOr<CustomerEntitlements> list = DecodeList(Dumped("c_cust-northwind"));
  ASSERT_THAT(list, IsOk());
  EXPECT_EQ(list->features.size(), 9U);
  const FeatureEntitlement& calls = Feature(*list, "feature-api-calls");
  EXPECT_EQ(calls.feature.meter, MeterType::kIncremental);
  EXPECT_EQ(calls.usage_limit, 1000);
  EXPECT_EQ(calls.period.reset, ResetPeriod::kMonth);
  EXPECT_EQ(calls.period.reset_anchor, ResetAnchor::kMonthSubscriptionStart);
  EXPECT_EQ(calls.period.anchor, WallTimeFromEpochMs(1761955200000));
  const FeatureEntitlement& drafts = Feature(*list, "feature-ai-drafts");
  EXPECT_EQ(drafts.denied_reason, DeniedReason::kInsufficientCredits);
  EXPECT_EQ(drafts.credit_rate, (CreditRate{2.5, "credits-ai"}));
  EXPECT_EQ(Feature(*list, "feature-regions").enum_values, (std::vector<std::string>{"eu-central", "us-east"}));
}

TEST(RedisCodecTest, ReadsTheNewLayout) {
  const auto list = DecodeList(R"({
    "anything": {"calculatedEntitlement": {"type": "FEATURE",
        "feature": {"id": "calls", "displayName": "Calls", "featureType": "NUMBER", "meterType": "Incremental",
                    "units": "call", "unitsPlural": "calls"},
        "usageLimit": 10, "hasUnlimitedUsage": false, "hasSoftLimit": true, "enumValues": [],
        "resetPeriod": "WEEK", "usagePeriodAnchor": 1767571200000,
        "resetPeriodConfiguration": {"__typename": "WeeklyResetPeriodConfig", "weeklyAccordingTo": "EveryMonday"}},
      "usageData": {"currentUsage": 7, "usagePeriodStart": null, "usagePeriodEnd": 1768176000000, "updatedAt": 1768000000000}},
    "coins": {"calculatedEntitlement": {"type": "CREDIT", "currency": {"currencyId": "coins", "displayName": "Coins"},
        "usageLimit": 100, "hasSoftLimit": false},
      "usageData": {"currentUsage": 40, "updatedAt": 1768000000000}}})");
  ASSERT_THAT(list, IsOk());
  const FeatureEntitlement& calls = Feature(*list, "calls");
  EXPECT_EQ(calls.current_usage, 7);
  EXPECT_EQ(calls.period.reset_anchor, ResetAnchor::kWeekEveryMonday);
  EXPECT_EQ(calls.period.end, WallTimeFromEpochMs(1768176000000));
  EXPECT_EQ(calls.usage_updated_at, WallTimeFromEpochMs(1768000000000));
  EXPECT_TRUE(calls.soft_limit);
  ASSERT_EQ(list->credits.size(), 1U);
  EXPECT_EQ(list->credits[0].currency.id, "coins");
  EXPECT_EQ(list->credits[0].current_usage, 40);
}

TEST(RedisCodecTest, WhatIsOfNoUseIsAnError) {
  for (const char* const text :
       {"", "{", "[]", "7", R"({"f":7})", R"({"f":{"calculatedEntitlement":[]}})", R"({"f":{}})",
        R"({"f":{"calculatedEntitlement":{"feature":{"id":"f"},"usageLimit":"ten"}}})"}) {
    EXPECT_FALSE(DecodeList(text).ok()) << text;
  }
  FeatureEntitlement feature;
  for (const char* const text : {"", "{}", "7", R"({"currentUsage":"7"})"}) {
    EXPECT_FALSE(DecodeUsage(text, feature).ok()) << text;
  }
  for (const char* const text : {"", "1 2 {}", "a b c {}", "1 2 3 [", R"(1 2 3 {"credits":7})"}) {
    EXPECT_FALSE(DecodeSibling(kCustomer.view(), text).ok()) << text;
  }
}

TEST(RedisCodecTest, AnOldUsageItemsNextResetDateIsTheEndOfItsPeriod) {
  FeatureEntitlement feature;
  ASSERT_THAT(DecodeUsage(R"({"currentUsage":1,"nextResetDate":1768176000000})", feature), IsOk());
  EXPECT_EQ(feature.period.end, WallTimeFromEpochMs(1768176000000));
}

TEST(RedisCodecTest, MetadataCarriesTheReason) {
  EXPECT_EQ(EncodeMetadata(DeniedReason::kNone), R"({"accessDeniedReason":null})");
  EXPECT_EQ(*DecodeMetadata(EncodeMetadata(DeniedReason::kNoActiveSubscription)), DeniedReason::kNoActiveSubscription);
  EXPECT_EQ(*DecodeMetadata("{}"), DeniedReason::kNone);
}

TEST(RedisCodecTest, ASiblingKeepsCreditsAndWhatHappenedToThem) {
  CreditEntitlement credit{.currency = {.id = "coins", .display_name = "Coins", .unit_plural = "coins"},
                           .usage_limit = 10,
                           .current_usage = 2.5,
                           .soft_limit = true,
                           .valid_until = WallTimeFromEpochMs(1768176000000),
                           .usage_updated_at = WallTimeFromEpochMs(1768000000000)};
  credit.currency.additional_meta_data_json = R"({"a":1})";
  SiblingValue value{.as_of_ms = 100, .list_ms = 90, .credits = {credit}, .changes = {}};
  value.Add({.at_ms = 120, .push = BalancePush{.key = kCustomer, .currency_id = "coins", .balance = 0}});
  value.Add({.at_ms = 110,
             .push = UsagePush{.key = kCustomer,
                               .id = "coins",
                               .credit = true,
                               .current_usage = 9,
                               .updated_at = WallTimeFromEpochMs(1768000000500)}});
  const std::string text = EncodeSibling(value);
  EXPECT_TRUE(text.starts_with("100 90 120 {")) << text;
  const absl::StatusOr<SiblingValue> read = DecodeSibling(kCustomer.view(), text);
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(read->as_of_ms, 100);
  EXPECT_EQ(read->list_ms, 90);
  EXPECT_EQ(read->credits, value.credits);
  ASSERT_EQ(read->changes.size(), 2U);
  CustomerEntitlements list{.credits = read->credits};
  for (const CreditChange& change : read->changes) {
    std::visit([&](const auto& push) { ApplyChange(push, list); }, change.push);
  }
  EXPECT_EQ(list.credits[0].current_usage, 9);
}

TEST(RedisCodecTest, OfChangesOfOneKindTheNewerStays) {
  const auto usage = [](double current, int64_t at) {
    return CreditChange{.at_ms = at,
                        .push = UsagePush{.key = kCustomer,
                                          .id = "coins",
                                          .credit = true,
                                          .current_usage = current,
                                          .updated_at = WallTimeFromEpochMs(at)}};
  };
  SiblingValue value;
  value.Add(usage(2, 200));
  value.Add(usage(1, 100));
  ASSERT_EQ(value.changes.size(), 1U);
  EXPECT_EQ(std::get<UsagePush>(value.changes[0].push).current_usage, 2);
  value.Add(usage(3, 300));
  EXPECT_EQ(std::get<UsagePush>(value.changes[0].push).current_usage, 3);
}

}  // namespace
}  // namespace sidecar
