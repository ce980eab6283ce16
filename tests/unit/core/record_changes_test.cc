#include "core/record_changes.h"

#include <gtest/gtest.h>

#include "support/builders.h"

namespace sidecar {
namespace {

using testing::Credit;
using testing::Metered;
using testing::Of;

const EntityKey kKey("a", "");

FeatureEntitlement Used(double usage, std::optional<WallTime> at) {
  FeatureEntitlement feature = Metered("f", 100, usage);
  feature.usage_updated_at = at;
  return feature;
}

CustomerEntitlements List(std::vector<FeatureEntitlement> features, std::optional<WallTime> at) {
  CustomerEntitlements list = Of(std::move(features));
  list.updated_at = at;
  return list;
}

struct ListCase {
  const char* name;
  std::optional<WallTime> held;
  std::optional<WallTime> pushed;
  ChangeEffect effect;
};

class ListOrder : public ::testing::TestWithParam<ListCase> {};

TEST_P(ListOrder, IsByTheDateOfTheList) {
  CustomerEntitlements value = List({Metered("f", 1, 0)}, GetParam().held);
  const ListPush push{.key = kKey, .entitlements = List({Metered("f", 2, 0)}, GetParam().pushed)};
  EXPECT_EQ(ApplyChange(push, value), GetParam().effect);
  EXPECT_EQ(value.features[0].usage_limit, GetParam().effect == ChangeEffect::kReplaced ? 2 : 1);
}

INSTANTIATE_TEST_SUITE_P(
    Rules, ListOrder,
    ::testing::Values(ListCase{"Newer", testing::DateAt(1), testing::DateAt(2), ChangeEffect::kReplaced},
                      ListCase{"Equal", testing::DateAt(2), testing::DateAt(2), ChangeEffect::kReplaced},
                      ListCase{"Older", testing::DateAt(2), testing::DateAt(1), ChangeEffect::kNone},
                      ListCase{"PushUndated", testing::DateAt(2), std::nullopt, ChangeEffect::kReplaced},
                      ListCase{"HeldUndated", std::nullopt, testing::DateAt(1), ChangeEffect::kReplaced}),
    [](const auto& each) { return std::string(each.param.name); });

TEST(ListPushTest, KeepsUsageThatIsKnownToBeNewer) {
  CustomerEntitlements value = List({Used(5, testing::DateAt(10))}, testing::DateAt(0));
  const ListPush push{.key = kKey,
                      .entitlements = List({Used(3, testing::DateAt(9)), Metered("g", 7, 1)}, testing::DateAt(1))};
  EXPECT_EQ(ApplyChange(push, value), ChangeEffect::kReplaced);
  EXPECT_EQ(value.features[0].current_usage, 5);
  EXPECT_EQ(value.features[1].current_usage, 1);
}

TEST(ListPushTest, AnEmptyListWithAReasonIsAnAnswer) {
  CustomerEntitlements value = List({Used(5, testing::DateAt(10))}, testing::DateAt(0));
  ListPush push{.key = kKey};
  EXPECT_EQ(ApplyChange(push, value), ChangeEffect::kDoubted);
  EXPECT_EQ(value.features.size(), 1U);
  push.entitlements.denied_reason = DeniedReason::kNoActiveSubscription;
  EXPECT_EQ(ApplyChange(push, value), ChangeEffect::kReplaced);
  EXPECT_TRUE(value.empty());
}

struct UsageCase {
  const char* name;
  std::optional<WallTime> held;
  std::optional<WallTime> pushed;
  double usage;
};

class UsageOrder : public ::testing::TestWithParam<UsageCase> {};

TEST_P(UsageOrder, IsByTheDateOfTheUsage) {
  CustomerEntitlements value = Of({Used(1, GetParam().held)});
  ApplyChange(UsagePush{.key = kKey, .id = "f", .current_usage = 2, .updated_at = GetParam().pushed}, value);
  EXPECT_EQ(value.features[0].current_usage, GetParam().usage);
}

INSTANTIATE_TEST_SUITE_P(Rules, UsageOrder,
                         ::testing::Values(UsageCase{"Newer", testing::DateAt(1), testing::DateAt(2), 2},
                                           UsageCase{"Equal", testing::DateAt(2), testing::DateAt(2), 2},
                                           UsageCase{"Older", testing::DateAt(2), testing::DateAt(1), 1},
                                           UsageCase{"PushUndated", testing::DateAt(2), std::nullopt, 2},
                                           UsageCase{"HeldUndated", std::nullopt, testing::DateAt(1), 2}),
                         [](const auto& each) { return std::string(each.param.name); });

TEST(UsagePushTest, WritesThePeriodAndItsAbsence) {
  CustomerEntitlements value = Of({Used(1, testing::DateAt(1))});
  value.features[0].period.start = testing::DateAt(-5);
  ApplyChange(UsagePush{.key = kKey,
                        .id = "f",
                        .current_usage = 2,
                        .period_end = testing::DateAt(9),
                        .updated_at = testing::DateAt(2)},
              value);
  EXPECT_EQ(value.features[0].period.start, std::nullopt);
  EXPECT_EQ(value.features[0].period.end, testing::DateAt(9));
  EXPECT_EQ(value.features[0].usage_updated_at, testing::DateAt(2));
}

TEST(UsagePushTest, AFeatureThatIsNotThereIsIgnored) {
  CustomerEntitlements value = Of({Used(1, testing::DateAt(1))});
  EXPECT_EQ(ApplyChange(UsagePush{.key = kKey, .id = "g", .current_usage = 2}, value), ChangeEffect::kNone);
}

FeatureEntitlement PaidFrom(std::string id, std::string currency) {
  FeatureEntitlement feature = Metered(std::move(id), 5, 0);
  feature.credit_rate = CreditRate{1, std::move(currency)};
  return feature;
}

TEST(UsagePushTest, OfACurrencyMovesItsBalance) {
  CustomerEntitlements value = Of({PaidFrom("paid", "coins"), PaidFrom("other", "gems")}, {Credit("coins", 10, 0)});
  EXPECT_EQ(ApplyChange(UsagePush{.key = kKey, .id = "coins", .credit = true, .current_usage = 10}, value),
            ChangeEffect::kAmended);
  EXPECT_EQ(value.credits[0].current_usage, 10);
  EXPECT_EQ(value.features[0].denied_reason, DeniedReason::kNone) << "decided on each read, from the balance";
}

TEST(UsagePushTest, APositiveBalanceLiftsExactlyTheDenialThatUpstreamWrote) {
  FeatureEntitlement paid = PaidFrom("paid", "coins");
  paid.denied_reason = DeniedReason::kInsufficientCredits;
  FeatureEntitlement revoked = PaidFrom("revoked", "coins");
  revoked.denied_reason = DeniedReason::kRevoked;
  FeatureEntitlement other = PaidFrom("other", "gems");
  other.denied_reason = DeniedReason::kInsufficientCredits;
  CustomerEntitlements value = Of({paid, revoked, other}, {Credit("coins", 10, 10)});
  ApplyChange(UsagePush{.key = kKey, .id = "coins", .credit = true, .current_usage = 4}, value);
  EXPECT_EQ(value.features[0].denied_reason, DeniedReason::kNone);
  EXPECT_EQ(value.features[1].denied_reason, DeniedReason::kRevoked);
  EXPECT_EQ(value.features[2].denied_reason, DeniedReason::kInsufficientCredits);
}

TEST(KeepNewerTest, ANewerPositiveBalanceLiftsTheDenialOfAnOlderList) {
  CreditEntitlement coins = Credit("coins", 10, 4);
  coins.usage_updated_at = testing::DateAt(10);
  CreditEntitlement old_coins = Credit("coins", 10, 10);
  old_coins.usage_updated_at = testing::DateAt(9);
  FeatureEntitlement denied = PaidFrom("paid", "coins");
  denied.denied_reason = DeniedReason::kInsufficientCredits;
  CustomerEntitlements fetched = Of({denied}, {old_coins});
  KeepNewer(Of({PaidFrom("paid", "coins")}, {coins}), fetched);
  EXPECT_EQ(fetched.credits[0].current_usage, 4);
  EXPECT_EQ(fetched.features[0].denied_reason, DeniedReason::kNone);
}

TEST(BalancePushTest, DeniesWhenEmptyAndLiftsExactlyThatDenial) {
  FeatureEntitlement revoked = PaidFrom("revoked", "coins");
  revoked.denied_reason = DeniedReason::kRevoked;
  CustomerEntitlements value = Of({PaidFrom("paid", "coins"), revoked, PaidFrom("other", "gems")});
  BalancePush push{.key = kKey, .currency_id = "coins", .balance = 0, .valid_until = testing::DateAt(50)};
  EXPECT_EQ(ApplyChange(push, value), ChangeEffect::kAmended);
  EXPECT_EQ(value.features[0].denied_reason, DeniedReason::kInsufficientCredits);
  EXPECT_EQ(value.features[0].valid_until, testing::DateAt(50));
  EXPECT_EQ(value.features[1].denied_reason, DeniedReason::kRevoked);
  EXPECT_EQ(value.features[2].denied_reason, DeniedReason::kNone);
  EXPECT_EQ(value.features[2].valid_until, std::nullopt);
  push.balance = 3;
  ApplyChange(push, value);
  EXPECT_EQ(value.features[0].denied_reason, DeniedReason::kNone);
  EXPECT_EQ(value.features[1].denied_reason, DeniedReason::kRevoked);
}

TEST(BalancePushTest, WhatSaysNothingNewChangesNothing) {
  CustomerEntitlements value = Of({PaidFrom("paid", "coins")});
  EXPECT_EQ(ApplyChange(BalancePush{.key = kKey, .currency_id = "coins", .balance = 3}, value), ChangeEffect::kNone);
}

TEST(EmptyListTest, WhateverNamesItRaisesDoubt) {
  CustomerEntitlements value;
  EXPECT_EQ(ApplyChange(UsagePush{.key = kKey, .id = "f"}, value), ChangeEffect::kDoubted);
  EXPECT_EQ(ApplyChange(BalancePush{.key = kKey, .currency_id = "c"}, value), ChangeEffect::kDoubted);
}

TEST(KeepNewerTest, AnOlderListKeepsTheHeldOneWithTheNewerUsageOfBoth) {
  const CustomerEntitlements held = List({Metered("f", 1, 0)}, testing::DateAt(10));
  CustomerEntitlements fetched = List({Used(6, testing::DateAt(20))}, testing::DateAt(9));
  KeepNewer(held, fetched);
  EXPECT_EQ(fetched.updated_at, testing::DateAt(10));
  EXPECT_EQ(fetched.features[0].usage_limit, 1);
  EXPECT_EQ(fetched.features[0].current_usage, 6);
}

}  // namespace
}  // namespace sidecar
