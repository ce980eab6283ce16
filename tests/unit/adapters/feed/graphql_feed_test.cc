// The protocol on one connection, and its subscriptions.
#include "adapters/feed/graphql_feed.h"

#include <gmock/gmock.h>

#include <regex>
#include <set>

#include "support/feed_fixture.h"
#include "support/fixtures.h"

namespace sidecar {
namespace {

using ::testing::ElementsAre;
using testing::FeedTest;
using testing::Fixture;
using ::testing::HasSubstr;
using ::testing::Not;

class FeedV1Test : public FeedTest {
 protected:
  FeedV1Test() : FeedTest(GenerationSetting::kV1) {}
};

class FeedAutoTest : public FeedTest {
 protected:
  FeedAutoTest() : FeedTest(GenerationSetting::kAuto) {}

  static constexpr const char* kUnknownField =
      R"([{"message":"Cannot query field \"usageUpdatedV2\" on type \"Subscription\".","locations":[{"line":1,"column":1}]}])";

  void SwitchToV1() {
    GoLive();
    SayError("OnUsageUpdatedV2", kUnknownField);
    peer().CloseWith(1000, "Normal Closure");
    Settle();
    OpenAndAck();
  }
};

std::vector<std::string> OperationsOf(const testing::FakePeer& peer) {
  std::vector<std::string> names;
  for (const Json& message : peer.SentOf("subscribe")) {
    names.push_back(message["payload"]["operationName"].get<std::string>());
  }
  return names;
}

TEST_F(FeedTest, ConnectsToTheGraphqlPathWithTheSubprotocol) {
  Start();
  EXPECT_EQ(peer().url, "ws://upstream/graphql");
  EXPECT_EQ(peer().subprotocol, "graphql-transport-ws");
}

TEST_F(FeedTest, TheFirstMessageIsConnectionInitWithTheKey) {
  Start();
  EXPECT_TRUE(peer().sent.empty());
  peer().Open();
  ASSERT_EQ(peer().sent.size(), 1U) << "nothing is subscribed before the ack";
  EXPECT_EQ(peer().sent[0]["type"], "connection_init");
  EXPECT_EQ(peer().sent[0]["payload"]["headers"]["X-API-KEY"], "server-test-key");
}

TEST_F(FeedTest, SubscribesToAllOfV2InOrder) {
  GoLive();
  EXPECT_THAT(OperationsOf(peer()), ElementsAre("OnEntitlementsUpdatedV2", "OnUsageUpdatedV2", "OnPackagePublished"));
}

TEST_F(FeedV1Test, SubscribesToAllOfV1InOrder) {
  GoLive();
  EXPECT_THAT(OperationsOf(peer()),
              ElementsAre("OnEntitlementsUpdated", "OnUsageUpdated", "OnPackagePublished", "OnCreditBalanceUpdated"));
}

TEST_F(FeedTest, IdsAreDifferentUuids) {
  GoLive();
  static const std::regex uuid("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}");
  std::set<std::string> ids;
  for (const Json& message : peer().SentOf("subscribe")) {
    EXPECT_TRUE(std::regex_match(message["id"].get<std::string>(), uuid)) << message["id"];
    ids.insert(message["id"].get<std::string>());
  }
  EXPECT_EQ(ids.size(), 3U);
}

TEST_F(FeedTest, IsLiveAfterTheAckOnly) {
  Start();
  peer().Open();
  EXPECT_FALSE(sink_.live);
  Ack();
  EXPECT_TRUE(sink_.live);
  Ack();
  EXPECT_EQ(SubscribesTo("OnUsageUpdatedV2"), 1U) << "a second ack changes nothing";
}

TEST_F(FeedTest, EveryPushOfV2ReachesTheSink) {
  GoLive();
  SayNext(Fixture("ws-entitlements-updated-v2.json"), "OnEntitlementsUpdatedV2");
  SayNext(Fixture("ws-entitlements-updated-v2-empty.json"), "OnEntitlementsUpdatedV2");
  SayNext(Fixture("ws-usage-updated-v2.json"), "OnUsageUpdatedV2");
  SayNext(Fixture("ws-usage-updated-v2-credit.json"), "OnUsageUpdatedV2");
  SayNext(Fixture("ws-package-published.json"), "OnPackagePublished");
  ASSERT_EQ(sink_.pushes.size(), 5U);
  EXPECT_EQ(std::get<ListPush>(sink_.pushes[0]).entitlements.features.size(), 2U);
  EXPECT_TRUE(std::get<ListPush>(sink_.pushes[1]).entitlements.empty());
  EXPECT_EQ(std::get<UsagePush>(sink_.pushes[2]).current_usage, 431);
  EXPECT_TRUE(std::get<UsagePush>(sink_.pushes[3]).credit);
  EXPECT_TRUE(std::holds_alternative<CatalogPush>(sink_.pushes[4]));
  EXPECT_EQ(metrics_.malformed_responses.value(), 0U);
}

TEST_F(FeedV1Test, EveryPushOfV1ReachesTheSink) {
  GoLive();
  SayNext(Fixture("ws-entitlements-updated.json"), "OnEntitlementsUpdated");
  SayNext(Fixture("ws-usage-updated.json"), "OnUsageUpdated");
  SayNext(Fixture("ws-package-published.json"), "OnPackagePublished");
  SayNext(Fixture("ws-credit-balance-updated.json"), "OnCreditBalanceUpdated");
  ASSERT_EQ(sink_.pushes.size(), 4U);
  EXPECT_EQ(std::get<ListPush>(sink_.pushes[0]).key.customer_id, "cust-northwind");
  EXPECT_EQ(std::get<UsagePush>(sink_.pushes[1]).id, "feature-api-calls");
  EXPECT_TRUE(std::holds_alternative<CatalogPush>(sink_.pushes[2]));
  EXPECT_EQ(std::get<BalancePush>(sink_.pushes[3]).balance, 87.5);
  EXPECT_EQ(metrics_.malformed_responses.value(), 0U);
}

TEST_F(FeedTest, WhatCannotBeUsedIsCountedAndSkipped) {
  GoLive();
  const std::string id = peer().IdOf("OnUsageUpdatedV2");
  const std::vector<std::string> unusable{
      "",
      "garbage",
      "[]",
      R"("text")",
      "{}",
      R"({"type":7})",
      R"({"type":"novelty"})",
      R"({"type":"next"})",
      R"({"type":"next","id":"X"})",
      R"({"type":"next","id":"X","payload":{}})",
      R"({"type":"next","id":"X","payload":{"data":null}})",
      R"({"type":"next","id":"X","payload":{"data":{"usageUpdatedV2":[]}}})",
      std::string(70, '[') + std::string(70, ']'),
  };
  for (std::string message : unusable) {
    if (const size_t at = message.find("\"X\""); at != std::string::npos) message.replace(at + 1, 1, id);
    const uint64_t before = metrics_.malformed_responses.value();
    peer().Say(message);
    EXPECT_EQ(metrics_.malformed_responses.value(), before + 1) << message;
  }
  EXPECT_TRUE(sink_.pushes.empty());
  EXPECT_TRUE(sink_.live);
  SayNext(Fixture("ws-usage-updated-v2.json"), "OnUsageUpdatedV2");
  EXPECT_EQ(sink_.pushes.size(), 1U) << "what follows is used";
}

TEST_F(FeedTest, APushThatCannotBeReadDoubtsTheRecordOfWhomItNames) {
  GoLive();
  const auto say = [&](const std::string& operation, const std::string& data) {
    peer().Say(R"({"type":"next","id":")" + peer().IdOf(operation) + R"(","payload":{"data":)" + data + "}}");
  };
  say("OnUsageUpdatedV2", R"({"usageUpdatedV2":{"customerId":"c","resourceId":"r","usage":7}})");
  ASSERT_EQ(sink_.pushes.size(), 1U);
  const auto& doubt = std::get<ListPush>(sink_.pushes[0]);
  EXPECT_EQ(doubt.key, EntityKey("c", "r"));
  EXPECT_TRUE(doubt.entitlements.features.empty());
  EXPECT_EQ(doubt.entitlements.denied_reason, DeniedReason::kNone) << "says that something changed, not what";
  say("OnPackagePublished", R"({"packagePublished":{"migrationType":"SOME"}})");
  ASSERT_EQ(sink_.pushes.size(), 2U);
  EXPECT_TRUE(std::holds_alternative<CatalogPush>(sink_.pushes[1]));
  EXPECT_EQ(metrics_.malformed_responses.value(), 2U);
}

TEST_F(FeedTest, AMessageForAnUnknownSubscriptionIsIgnored) {
  GoLive();
  peer().Say(Fixture("ws-usage-updated-v2.json"));
  peer().Say(R"({"type":"error","id":"other","payload":[]})");
  peer().Say(R"({"type":"complete","id":"other"})");
  EXPECT_TRUE(sink_.pushes.empty());
  EXPECT_EQ(peer().SentOf("subscribe").size(), 3U);
}

TEST_F(FeedTest, NothingIsPushedBeforeTheAck) {
  Start();
  peer().Open();
  peer().Say(Fixture("ws-package-published.json"));
  EXPECT_TRUE(sink_.pushes.empty());
}

TEST_F(FeedTest, PingsTenSecondsAfterOpeningAndAfterEachPong) {
  GoLive();
  time_.Advance(Millis(9'999));
  EXPECT_EQ(peer().SentOf("ping").size(), 0U);
  time_.Advance(Millis(1));
  EXPECT_EQ(peer().SentOf("ping").size(), 1U);
  time_.Advance(Millis(4'000));
  peer().Say(R"({"type":"pong"})");
  time_.Advance(Millis(9'999));
  EXPECT_EQ(peer().SentOf("ping").size(), 1U);
  time_.Advance(Millis(1));
  EXPECT_EQ(peer().SentOf("ping").size(), 2U);
}

TEST_F(FeedTest, AHalfOpenConnectionIsFoundWithinTwentySeconds) {
  GoLive();
  time_.Advance(Millis(19'999));
  EXPECT_TRUE(sink_.live);
  time_.Advance(Millis(1));
  EXPECT_FALSE(sink_.live);
  EXPECT_TRUE(peer().gone()) << "the socket is dropped, not closed in order";
  time_.Advance(Millis(8'000));
  EXPECT_EQ(attempts(), 2U);
  EXPECT_EQ(Reconnects(FeedEndCause::kNoPong), 1U);
}

TEST_F(FeedTest, OtherMessagesAreNoPong) {
  GoLive();
  time_.Advance(Millis(12'000));
  SayNext(Fixture("ws-usage-updated-v2.json"), "OnUsageUpdatedV2");
  time_.Advance(Millis(8'000));
  EXPECT_FALSE(sink_.live);
}

TEST_F(FeedTest, APongThatNobodyAskedForChangesNothing) {
  GoLive();
  for (int i = 0; i < 5; ++i) peer().Say(R"({"type":"pong"})");
  time_.Advance(Millis(10'000));
  EXPECT_EQ(peer().SentOf("ping").size(), 1U);
  time_.Advance(Millis(10'000));
  EXPECT_FALSE(sink_.live);
}

TEST_F(FeedTest, AnswersPings) {
  GoLive();
  peer().Say(R"({"type":"ping","payload":{"x":1}})");
  EXPECT_EQ(peer().SentOf("pong").size(), 1U);
}

TEST_F(FeedTest, AServerThatDoesNotAcknowledgeIsLeftAfterTenSeconds) {
  Start();
  peer().Open();
  time_.Advance(Millis(9'999));
  EXPECT_FALSE(peer().gone());
  time_.Advance(Millis(1));
  EXPECT_TRUE(peer().gone());
  time_.Advance(Millis(8'000));
  EXPECT_EQ(Reconnects(FeedEndCause::kNoAck), 1U);
  EXPECT_TRUE(sink_.log.empty());
}

TEST_F(FeedTest, AFailedSubscriptionIsSentAgainAloneWithAnotherId) {
  GoLive();
  const std::string id = peer().IdOf("OnUsageUpdatedV2");
  SayError("OnUsageUpdatedV2");
  EXPECT_EQ(feed_.status().interrupted_subscriptions, 1U);
  time_.Advance(Millis(999));
  EXPECT_EQ(SubscribesTo("OnUsageUpdatedV2"), 1U);
  time_.Advance(Millis(1));
  EXPECT_EQ(SubscribesTo("OnUsageUpdatedV2"), 2U);
  EXPECT_NE(peer().IdOf("OnUsageUpdatedV2"), id);
  EXPECT_EQ(SubscribesTo("OnEntitlementsUpdatedV2"), 1U);
  EXPECT_EQ(attempts(), 1U);
  EXPECT_EQ(feed_.status().interrupted_subscriptions, 0U);
  EXPECT_THAT(sink_.log, ElementsAre("live"));
  SayNext(Fixture("ws-usage-updated-v2.json"), "OnUsageUpdatedV2");
  EXPECT_TRUE(std::holds_alternative<UsagePush>(sink_.pushes.back()));
}

TEST_F(FeedTest, WhatAnInterruptedSubscriptionMissedMakesEveryRecordDoubtful) {
  GoLive();
  SayError("OnUsageUpdatedV2");
  EXPECT_TRUE(sink_.pushes.empty());
  time_.Advance(Millis(1'000));
  ASSERT_EQ(sink_.pushes.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<CatalogPush>(sink_.pushes[0]));
}

TEST_F(FeedTest, ASubscriptionThatKeepsFailingIsSentAgainLessAndLessOften) {
  GoLive();
  for (const int64_t seconds : {1, 2, 4, 8, 16, 30, 30}) {
    peer().Say(R"({"type":"pong"})");
    const size_t before = SubscribesTo("OnUsageUpdatedV2");
    SayError("OnUsageUpdatedV2");
    for (int64_t ms = 0; ms < seconds * 1'000 - 500; ms += 500) {
      time_.Advance(Millis(500));
      peer().Say(R"({"type":"pong"})");
    }
    EXPECT_EQ(SubscribesTo("OnUsageUpdatedV2"), before) << seconds;
    time_.Advance(Millis(500));
    EXPECT_EQ(SubscribesTo("OnUsageUpdatedV2"), before + 1) << seconds;
  }
}

TEST_F(FeedTest, ASubscriptionThatHeldForHalfAMinuteBeginsAnewWithOneSecond) {
  GoLive();
  for (int i = 0; i < 3; ++i) {
    SayError("OnUsageUpdatedV2");
    time_.Advance(Millis(4'000));
  }
  for (int i = 0; i < 30; ++i) {
    time_.Advance(Millis(1'000));
    peer().Say(R"({"type":"pong"})");
  }
  const size_t before = SubscribesTo("OnUsageUpdatedV2");
  SayError("OnUsageUpdatedV2");
  time_.Advance(Millis(1'000));
  EXPECT_EQ(SubscribesTo("OnUsageUpdatedV2"), before + 1);
}

TEST_F(FeedTest, ANextWithErrorsEndsThatSubscriptionAndSendsItAgain) {
  GoLive();
  const std::string id = peer().IdOf("OnUsageUpdatedV2");
  peer().Say(R"({"type":"next","id":")" + id + R"(","payload":{"data":null,"errors":[{"message":"down"}]}})");
  ASSERT_EQ(peer().SentOf("complete").size(), 1U);
  EXPECT_EQ(peer().SentOf("complete")[0]["id"], id);
  time_.Advance(Millis(1'000));
  EXPECT_EQ(SubscribesTo("OnUsageUpdatedV2"), 2U);
  EXPECT_TRUE(sink_.live);
}

TEST_F(FeedTest, ASubscriptionThatTheServerCompletesIsSentAgain) {
  GoLive();
  peer().Say(R"({"type":"complete","id":")" + peer().IdOf("OnPackagePublished") + R"("})");
  time_.Advance(Millis(1'000));
  EXPECT_EQ(SubscribesTo("OnPackagePublished"), 2U);
}

TEST_F(FeedAutoTest, BeginsWithV2) {
  GoLive();
  EXPECT_EQ(SubscribesTo("OnUsageUpdatedV2"), 1U);
}

TEST_F(FeedAutoTest, AServerThatDoesNotKnowV2IsSpokenToInV1) {
  GoLive();
  SayError("OnUsageUpdatedV2", kUnknownField);
  ASSERT_TRUE(peer().close.has_value());
  EXPECT_EQ(peer().close->first, 1000);
  peer().CloseWith(1000, "Normal Closure");
  EXPECT_FALSE(sink_.live);
  Settle();
  ASSERT_EQ(attempts(), 2U) << "at once";
  OpenAndAck();
  EXPECT_EQ(SubscribesTo("OnUsageUpdated"), 1U);
  EXPECT_EQ(SubscribesTo("OnUsageUpdatedV2"), 0U);
  EXPECT_EQ(Reconnects(FeedEndCause::kGeneration), 1U);
  EXPECT_EQ(feed_.status().generation, Generation::kV1);
}

TEST_F(FeedAutoTest, TheChoiceOutlivesTheConnection) {
  SwitchToV1();
  peer().CloseWith(1001, "going away");
  time_.Advance(Millis(8'000));
  OpenAndAck();
  EXPECT_EQ(SubscribesTo("OnUsageUpdated"), 1U);
}

TEST_F(FeedAutoTest, FailuresThatAreNotOfTheDocumentDoNotSwitch) {
  GoLive();
  SayError("OnUsageUpdatedV2", R"([{"message":"down","path":["usageUpdatedV2"],"locations":[{"line":1,"column":1}]}])");
  EXPECT_FALSE(peer().close.has_value());
}

TEST_F(FeedAutoTest, AnOperationOfBothGenerationsDoesNotSwitch) {
  GoLive();
  SayError("OnPackagePublished", kUnknownField);
  EXPECT_FALSE(peer().close.has_value());
}

TEST_F(FeedTest, AForcedGenerationIsKept) {
  GoLive();
  SayError("OnUsageUpdatedV2", R"([{"message":"no","extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}}])");
  EXPECT_FALSE(peer().close.has_value());
  time_.Advance(Millis(1'000));
  EXPECT_EQ(SubscribesTo("OnUsageUpdatedV2"), 2U);
}

class FeedHourlyProbeTest : public FeedAutoTest {
 protected:
  void Pass(Millis time) {
    for (Millis passed{0}; passed < time; passed += Millis(5'000)) {
      time_.Advance(Millis(5'000));
      peer().Say(R"({"type":"pong"})");
    }
  }
  static constexpr Millis kHour{3'600'000};
};

TEST_F(FeedHourlyProbeTest, V2IsAskedForAgainOnTheLiveConnection) {
  SwitchToV1();
  Pass(kHour - Millis(5'000));
  EXPECT_EQ(SubscribesTo("OnUsageUpdatedV2"), 0U);
  Pass(Millis(5'000));
  EXPECT_EQ(SubscribesTo("OnUsageUpdatedV2"), 1U);
  EXPECT_TRUE(sink_.live);
}

TEST_F(FeedHourlyProbeTest, AnotherRefusalKeepsV1ForAnotherHour) {
  SwitchToV1();
  Pass(kHour);
  SayError("OnUsageUpdatedV2", kUnknownField);
  Pass(kHour - Millis(5'000));
  EXPECT_EQ(SubscribesTo("OnUsageUpdatedV2"), 1U);
  Pass(Millis(5'000));
  EXPECT_EQ(SubscribesTo("OnUsageUpdatedV2"), 2U);
  EXPECT_EQ(attempts(), 2U);
  EXPECT_THAT(sink_.log, ElementsAre("live", "lost", "live"));
}

TEST_F(FeedHourlyProbeTest, AServerThatHasLearntV2IsSpokenToInV2) {
  SwitchToV1();
  Pass(kHour);
  const std::string id = peer().IdOf("OnUsageUpdatedV2");
  Pass(Millis(10'000));
  ASSERT_TRUE(peer().close.has_value());
  EXPECT_EQ(peer().SentOf("complete")[0]["id"], id);
  peer().CloseWith(1000, "");
  Settle();
  OpenAndAck();
  EXPECT_EQ(SubscribesTo("OnUsageUpdatedV2"), 1U);
  EXPECT_EQ(SubscribesTo("OnUsageUpdated"), 0U);
}

TEST_F(FeedTest, StatusTellsStateSinceAndCounts) {
  EXPECT_EQ(feed_.status().state, FeedStatus::State::kStopped);
  Start();
  EXPECT_EQ(feed_.status().state, FeedStatus::State::kConnecting);
  time_.Advance(Millis(500));
  OpenAndAck();
  EXPECT_TRUE(feed_.status().connected());
  EXPECT_EQ(feed_.status().since, time_.WallNow());
  SayNext(Fixture("ws-usage-updated-v2.json"), "OnUsageUpdatedV2");
  peer().Say("garbage");
  peer().Say(R"({"type":"ping"})");
  const FeedStatus status = feed_.status();
  const auto count = [&](FeedMessage type) { return status.messages[static_cast<size_t>(type)]; };
  EXPECT_EQ(count(FeedMessage::kAck), 1U);
  EXPECT_EQ(count(FeedMessage::kNext), 1U);
  EXPECT_EQ(count(FeedMessage::kPing), 1U);
  EXPECT_EQ(count(FeedMessage::kOther), 1U);
  time_.Advance(Millis(1'000));
  peer().CloseWith(4500, "overload\n");
  EXPECT_EQ(feed_.status().state, FeedStatus::State::kWaiting);
  EXPECT_EQ(feed_.status().last_error, "closed by the server: 4500 overload?");
  EXPECT_EQ(feed_.status().last_error_at, time_.WallNow());
}

TEST_F(FeedTest, StatusNeverHoldsTheKey) {
  GoLive();
  peer().CloseWith(4403, "Invalid API key");
  EXPECT_THAT(feed_.status().last_error, Not(HasSubstr("server-test-key")));
}

}  // namespace
}  // namespace sidecar
