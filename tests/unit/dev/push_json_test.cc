#include "dev/push_json.h"

#include <gtest/gtest.h>

#include "adapters/world/world.h"
#include "dev/subscriptions.h"
#include "support/fixtures.h"
#include "support/sim_clock.h"

namespace sidecar::dev {
namespace {

/// Every member that `expected` has, `actual` has too, with a value of the same type unless one
/// of them is null.
void ExpectSameShape(const Json& actual, const Json& expected, const std::string& path) {
  if (actual.is_null() || expected.is_null()) return;
  if (actual.is_number() && expected.is_number()) return;
  ASSERT_EQ(actual.type_name(), std::string_view(expected.type_name())) << path;
  if (expected.is_object()) {
    for (const auto& [name, value] : expected.items()) {
      ASSERT_TRUE(actual.contains(name)) << path << "." << name;
      ExpectSameShape(actual[name], value, path + "." + name);
    }
  }
  if (path.ends_with("__typename")) {
    EXPECT_EQ(actual, expected) << path;
  }
}

class PushJsonTest : public ::testing::Test {
 protected:
  PushJsonTest() {
    world_.Listen([this](const Push& push) {
      const EntityKeyView key{"c", ""};
      for (auto& [subscription, payload] : EncodePush(push, world_.Entitlements(key))) {
        payloads_[subscription] = std::move(payload);
      }
    });
  }

  static std::string Data(int limit) {
    return R"({"features":{"calls":{"type":"metered"}},"credits":{"tokens":{"displayName":"T","unit":"t"}},
      "plans":{"p":{"calls":{"limit":)" +
           std::to_string(limit) + R"(,"reset":"month","creditRate":{"credit":"tokens","amount":2}},
        "tokens":{"limit":100}}},"customers":{"c":{"plan":"p"}}})";
  }

  void ExpectLike(Subscription subscription, const std::string& fixture) {
    const Json expected = (*ParseJson(testing::Fixture(fixture)))["payload"];
    ASSERT_TRUE(payloads_.contains(subscription));
    ExpectSameShape(payloads_[subscription], expected, fixture);
  }

  testing::SimTime time_;
  World world_{*ParseWorld(Data(1000), "test"), time_};
  std::map<Subscription, Json> payloads_;
};

TEST_F(PushJsonTest, UsageLooksAsUpstreamSendsIt) {
  world_.ReportUsage({.key = {"c", ""}, .feature_id = "calls", .value = 1});
  ExpectLike(Subscription::kUsage, "ws-usage-updated.json");
  ExpectLike(Subscription::kUsageV2, "ws-usage-updated-v2-credit.json");
  ExpectLike(Subscription::kCreditBalance, "ws-credit-balance-updated.json");
}

TEST_F(PushJsonTest, ListsLookAsUpstreamSendsThem) {
  world_.Replace(*ParseWorld(Data(2000), "test"));
  ExpectLike(Subscription::kEntitlements, "ws-entitlements-updated.json");
  ExpectLike(Subscription::kEntitlementsV2, "ws-entitlements-updated-v2.json");
  const Json features = (*ParseJson(
      testing::Fixture("ws-entitlements-updated-v2.json")))["payload"]["data"]["entitlementsUpdatedV2"]["entitlements"];
  const Json ours = payloads_[Subscription::kEntitlementsV2]["data"]["entitlementsUpdatedV2"]["entitlements"];
  ASSERT_EQ(ours.size(), 2U);
  ExpectSameShape(ours[0], features[1], "feature");
  ExpectSameShape(ours[1], features[2], "credit");
  const Json v1 = (*ParseJson(
      testing::Fixture("ws-entitlements-updated.json")))["payload"]["data"]["entitlementsUpdated"]["entitlements"];
  ExpectSameShape(payloads_[Subscription::kEntitlements]["data"]["entitlementsUpdated"]["entitlements"][0], v1[1],
                  "feature of V1");
}

TEST(SubscriptionsTest, AreFoundByOperationOrRootField) {
  EXPECT_EQ(SubscriptionNamed("OnUsageUpdatedV2"), Subscription::kUsageV2);
  EXPECT_EQ(SubscriptionNamed("usageUpdated"), Subscription::kUsage);
  EXPECT_EQ(SubscriptionNamed("UsageUpdated"), std::nullopt);
  EXPECT_EQ(SubscriptionNamed(""), std::nullopt);
}

TEST(SubscriptionsTest, ADocumentsRootFieldIsRead) {
  EXPECT_EQ(RootFieldOf("subscription OnUsageUpdated { usageUpdated { usage { customerId } } }"), "usageUpdated");
  EXPECT_EQ(RootFieldOf("subscription{usageUpdatedV2{customerId}}"), "usageUpdatedV2");
  EXPECT_EQ(RootFieldOf("subscription {\n  alias : usageUpdated { x } }"), "usageUpdated");
  EXPECT_EQ(RootFieldOf("subscription"), "");
  EXPECT_EQ(RootFieldOf("{"), "");
}

}  // namespace
}  // namespace sidecar::dev
