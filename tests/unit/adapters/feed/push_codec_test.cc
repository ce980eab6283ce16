#include "adapters/feed/push_codec.h"

#include <gtest/gtest.h>

#include "adapters/feed/protocol.h"
#include "support/fixtures.h"
#include "support/status_matchers.h"

namespace sidecar {
namespace {

using testing::FailsWith;
using testing::Fixture;
using testing::IsOk;

using testing::kInvalid;
constexpr auto kV1 = Generation::kV1;
constexpr auto kV2 = Generation::kV2;

/// The push of a complete `next` message.
absl::StatusOr<DecodedPush> Decode(const std::string& message, Subscription subscription, Generation generation) {
  absl::StatusOr<ServerMessage> next = ParseServerMessage(message);
  if (!next.ok()) return next.status();
  return DecodePush(subscription, generation, next->payload["data"]);
}

absl::StatusOr<DecodedPush> DecodeText(const std::string& data, Subscription subscription, Generation generation) {
  return DecodePush(subscription, generation, *ParseJson(data));
}

template <typename T>
T Get(const absl::StatusOr<DecodedPush>& decoded) {
  EXPECT_THAT(decoded, IsOk());
  if (!decoded.ok() || !decoded->push.has_value() || !std::holds_alternative<T>(*decoded->push)) {
    ADD_FAILURE() << "another kind of push";
    return {};
  }
  return std::get<T>(*decoded->push);
}

TEST(PushCodecTest, EntitlementsV1) {
  const auto push = Get<ListPush>(Decode(Fixture("ws-entitlements-updated.json"), Subscription::kEntitlements, kV1));
  EXPECT_EQ(push.key, EntityKey("cust-northwind", ""));
  ASSERT_EQ(push.entitlements.features.size(), 2U);
  EXPECT_EQ(push.entitlements.features[0].feature.id, "feature-sso");
  EXPECT_EQ(push.entitlements.features[1].usage_limit, 20);
  EXPECT_EQ(push.entitlements.denied_reason, DeniedReason::kNone);
}

TEST(PushCodecTest, EntitlementsV2) {
  const auto push = Get<ListPush>(Decode(Fixture("ws-entitlements-updated-v2.json"), Subscription::kEntitlements, kV2));
  EXPECT_EQ(push.key, EntityKey("cust-northwind", ""));
  ASSERT_EQ(push.entitlements.features.size(), 2U);
  EXPECT_EQ(push.entitlements.features[1].usage_limit, 20);
  EXPECT_EQ(push.entitlements.updated_at, ParseDate("2026-03-02T09:15:30.250Z")) << "of the first element";
  EXPECT_EQ(push.entitlements.credits.size(), 1U);
}

TEST(PushCodecTest, AnEmptyListWithoutAReasonSaysOnlyThatSomethingChanged) {
  const auto v2 =
      Get<ListPush>(Decode(Fixture("ws-entitlements-updated-v2-empty.json"), Subscription::kEntitlements, kV2));
  EXPECT_TRUE(v2.entitlements.empty());
  EXPECT_EQ(v2.entitlements.denied_reason, DeniedReason::kNone);
  const auto v1 = Get<ListPush>(
      DecodeText(R"({"entitlementsUpdated":{"customerId":"c","entitlements":[]}})", Subscription::kEntitlements, kV1));
  EXPECT_EQ(v1.entitlements.denied_reason, DeniedReason::kNone);
}

TEST(PushCodecTest, AnEmptyListMayCarryAReason) {
  const auto push = Get<ListPush>(
      DecodeText(R"({"entitlementsUpdatedV2":{"customerId":"c","resourceId":"r","accessDeniedReason":"CustomerNotFound",
                     "entitlements":[]}})",
                 Subscription::kEntitlements, kV2));
  EXPECT_EQ(push.key, EntityKey("c", "r"));
  EXPECT_EQ(push.entitlements.denied_reason, DeniedReason::kCustomerNotFound);
}

TEST(PushCodecTest, UsageV1HasNoTime) {
  const auto push = Get<UsagePush>(Decode(Fixture("ws-usage-updated.json"), Subscription::kUsage, kV1));
  EXPECT_EQ(push.key, EntityKey("cust-northwind", ""));
  EXPECT_EQ(push.id, "feature-api-calls");
  EXPECT_FALSE(push.credit);
  EXPECT_EQ(push.current_usage, 431);
  EXPECT_EQ(push.period_start, WallTimeFromEpochMs(1793491200000));
  EXPECT_EQ(push.period_end, WallTimeFromEpochMs(4005158400000));
  EXPECT_EQ(push.updated_at, std::nullopt);
}

TEST(PushCodecTest, UsageV2OfAFeature) {
  const auto push = Get<UsagePush>(Decode(Fixture("ws-usage-updated-v2.json"), Subscription::kUsage, kV2));
  EXPECT_EQ(push.id, "feature-api-calls");
  EXPECT_FALSE(push.credit);
  EXPECT_EQ(push.current_usage, 431);
  EXPECT_EQ(push.period_start, ParseDate("2026-11-01T00:00:00.000Z"));
  EXPECT_EQ(push.updated_at, ParseDate("2026-11-20T10:00:05.000Z"));
}

TEST(PushCodecTest, UsageV2OfACredit) {
  const auto push = Get<UsagePush>(Decode(Fixture("ws-usage-updated-v2-credit.json"), Subscription::kUsage, kV2));
  EXPECT_EQ(push.id, "credits-ai");
  EXPECT_TRUE(push.credit);
  EXPECT_EQ(push.current_usage, 412.5);
  EXPECT_EQ(push.period_start, std::nullopt);
  EXPECT_EQ(push.period_end, ParseDate("2096-12-01T00:00:00.000Z"));
}

TEST(PushCodecTest, BalanceV1) {
  const auto push = Get<BalancePush>(Decode(Fixture("ws-credit-balance-updated.json"), Subscription::kBalance, kV1));
  EXPECT_EQ(push.key, EntityKey("cust-northwind", ""));
  EXPECT_EQ(push.currency_id, "credits-ai");
  EXPECT_EQ(push.balance, 87.5);
  EXPECT_EQ(push.valid_until, std::nullopt);
}

TEST(PushCodecTest, APackageForAllCustomersConcernsEveryRecord) {
  for (const Generation generation : {kV1, kV2}) {
    Get<CatalogPush>(Decode(Fixture("ws-package-published.json"), Subscription::kPackage, generation));
  }
}

TEST(PushCodecTest, APackageForNewCustomersChangesNothing) {
  const auto decoded =
      DecodeText(R"({"packagePublished":{"migrationType":"NEW_CUSTOMERS"}})", Subscription::kPackage, kV2);
  ASSERT_THAT(decoded, IsOk());
  EXPECT_FALSE(decoded->push.has_value());
}

TEST(PushCodecTest, ElementsOfAnUnknownShapeAreLeftOutAndCounted) {
  const auto decoded =
      DecodeText(R"({"entitlementsUpdatedV2":{"customerId":"c","entitlements":[{"__typename":"Novelty"}]}})",
                 Subscription::kEntitlements, kV2);
  ASSERT_THAT(decoded, IsOk());
  EXPECT_EQ(decoded->skipped, 1U);
}

struct Unusable {
  const char* what;
  Subscription subscription;
  Generation generation;
  const char* data;
  const char* error;
};

class UnusablePushTest : public ::testing::TestWithParam<Unusable> {};

TEST_P(UnusablePushTest, IsAnErrorThatSaysWhere) {
  const Unusable& row = GetParam();
  EXPECT_THAT(DecodeText(row.data, row.subscription, row.generation), FailsWith(kInvalid, row.error));
}

INSTANTIATE_TEST_SUITE_P(
    Rows, UnusablePushTest,
    ::testing::Values(
        Unusable{"NotAnObject", Subscription::kUsage, kV1, "null", "data"},
        Unusable{"OtherRoot", Subscription::kUsage, kV1, R"({"usageUpdatedV2":{}})", "data.usageUpdated"},
        Unusable{"NoUsage", Subscription::kUsage, kV1, R"({"usageUpdated":{}})", "data.usageUpdated.usage"},
        Unusable{"NoCustomer", Subscription::kUsage, kV1,
                 R"({"usageUpdated":{"usage":{"featureId":"f","currentUsage":1}}})", "customerId"},
        Unusable{"NoFeature", Subscription::kUsage, kV1,
                 R"({"usageUpdated":{"usage":{"customerId":"c","currentUsage":1}}})", "featureId"},
        Unusable{"UsageIsText", Subscription::kUsage, kV1,
                 R"({"usageUpdated":{"usage":{"customerId":"c","featureId":"f","currentUsage":"1"}}})", "currentUsage"},
        Unusable{
            "UnknownReference", Subscription::kUsage, kV2,
            R"({"usageUpdatedV2":{"customerId":"c","entitlementReference":{"type":"X","id":"f"},"usage":{"currentUsage":1}}})",
            "entitlementReference.type"},
        Unusable{"NoList", Subscription::kEntitlements, kV2, R"({"entitlementsUpdatedV2":{"customerId":"c"}})",
                 "entitlements"},
        Unusable{"ListOfNobody", Subscription::kEntitlements, kV1, R"({"entitlementsUpdated":{"entitlements":[]}})",
                 "customerId"},
        Unusable{"UnknownMigration", Subscription::kPackage, kV2, R"({"packagePublished":{"migrationType":"X"}})",
                 "migrationType"},
        Unusable{"NoBalance", Subscription::kBalance, kV1,
                 R"({"creditBalanceUpdated":{"customerId":"c","currency":{"currencyId":"k"}}})", "currentBalance"}),
    [](const auto& row) { return row.param.what; });

TEST(PushCodecTest, WhatCannotBeReadStillNamesWhomItIsAbout) {
  const auto doubt = [](Subscription subscription, const char* data) {
    return DoubtOf(subscription, *ParseJson(data));
  };
  const auto named = [&](Subscription subscription, const char* data) {
    const std::optional<Push> push = doubt(subscription, data);
    return push.has_value() ? std::get<ListPush>(*push).key : EntityKey();
  };
  EXPECT_EQ(named(Subscription::kUsage, R"({"usageUpdatedV2":{"customerId":"c","usage":{"currentUsage":"much"}}})"),
            EntityKey("c", ""));
  EXPECT_EQ(named(Subscription::kUsage, R"({"usageUpdated":{"usage":{"customerId":"c","resourceId":"r"}}})"),
            EntityKey("c", "r"));
  EXPECT_EQ(named(Subscription::kEntitlements, R"({"novelty":{"customerId":"c"}})"), EntityKey("c", ""));
  EXPECT_TRUE(std::holds_alternative<CatalogPush>(*doubt(Subscription::kPackage, "7")));
  for (const char* const nobody : {"null", "[]", "{}", R"({"usageUpdated":7})", R"({"usageUpdated":{"customerId":7}})",
                                   R"({"usageUpdated":{"usage":[]}})"}) {
    EXPECT_FALSE(doubt(Subscription::kUsage, nobody).has_value()) << nobody;
  }
}

TEST(ProtocolTest, ConnectionInitIsWhatTheVendorsClientSends) {
  const ProcessIdentity identity{.instance_id = "q3V9n0Yx7LwKfTtA1bC2d",
                                 .host_name = "host-1",
                                 .process_id = 4242,
                                 .started_at_epoch_ms = 1795223480273,
                                 .fingerprint = "20542550e5327ee0d46499098e73426d"};
  EXPECT_EQ(*ParseJson(ConnectionInitMessage(identity, "server-test-key")),
            *ParseJson(Fixture("ws-client-connection-init.json")));
}

TEST(ProtocolTest, SubscribeIsWhatTheVendorsClientSends) {
  EXPECT_EQ(*ParseJson(SubscribeMessage("11111111-2222-4333-8444-555555555555",
                                        OperationOf(Subscription::kUsage, Generation::kV1))),
            *ParseJson(Fixture("ws-client-subscribe-usage.json")));
}

TEST(ProtocolTest, ADocumentThatTheServerDoesNotKnowIsToldFromAFailedRun) {
  const auto rejected = [](const char* errors) { return ReadErrors(*ParseJson(errors)).document_rejected; };
  EXPECT_TRUE(rejected(R"([{"message":"no","extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}}])"));
  EXPECT_TRUE(rejected(R"([{"message":"no","extensions":{"code":"GRAPHQL_PARSE_FAILED"}}])"));
  EXPECT_TRUE(rejected(R"([{"message":"Cannot query field \"x\" on type \"Subscription\".",
                            "extensions":{"code":"INTERNAL_SERVER_ERROR"}}])"));
  EXPECT_TRUE(rejected(R"([{"message":"no such field","locations":[{"line":1,"column":2}]}])"));
  EXPECT_FALSE(rejected(R"([{"message":"down","locations":[{"line":1,"column":2}],"path":["usageUpdatedV2"]}])"));
  EXPECT_FALSE(rejected(R"([{"message":"no","locations":[],"extensions":{"code":"Unauthenticated"}}])"));
  EXPECT_FALSE(rejected(R"([{"message":"down"}])"));
  EXPECT_FALSE(rejected(R"("text")"));
  EXPECT_FALSE(rejected("[]"));
}

TEST(ProtocolTest, ErrorTextsAreFitForALog) {
  EXPECT_EQ(ReadErrors(*ParseJson(R"([{"message":"a\nb\u0007c"}])")).message, "a?b?c");
  EXPECT_LE(Printable(std::string(10'000, 'x')).size(), 200U);
}

}  // namespace
}  // namespace sidecar
