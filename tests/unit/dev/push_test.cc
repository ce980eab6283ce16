// The WebSocket of `dev`, over loopback.
#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include "dev/dev_upstream.h"
#include "support/sim_clock.h"
#include "support/status_matchers.h"
#include "unit/dev/dev_client.h"

namespace sidecar::dev {
namespace {

using boost::beast::http::verb;

class PushTest : public ::testing::Test {
 protected:
  ~PushTest() override {
    if (!data_file_.empty()) std::remove(data_file_.c_str());
  }

  uint16_t Start(DevUpstream::Options options = {}) {
    auto upstream = DevUpstream::Start(options, time_);
    EXPECT_THAT(upstream, testing::IsOk());
    if (!upstream.ok()) return 0;
    upstream_ = *std::move(upstream);
    const std::string url = upstream_->url();
    port_ = *ParseNumber<uint16_t>(std::string_view(url).substr(url.rfind(':') + 1));
    return port_;
  }

  void WriteData(const std::string& text) {
    if (data_file_.empty()) data_file_ = StrCat(::testing::TempDir(), "push_test_", getpid(), ".json");
    std::FILE* const file = std::fopen((data_file_ + ".new").c_str(), "w");
    ASSERT_NE(file, nullptr);
    ASSERT_EQ(std::fwrite(text.data(), 1, text.size(), file), text.size());
    std::fclose(file);
    ASSERT_EQ(std::rename((data_file_ + ".new").c_str(), data_file_.c_str()), 0);
  }

  void Mutate(const std::string& operation, const std::string& input) {
    const HttpAnswer answer =
        Exchange(port_, verb::post, "/graphql",
                 StrCat(R"({"operationName":")", operation, R"(","query":"mutation )", operation,
                        R"(($input: I!) { x(input: $input) }","variables":{"input":)", input, "}}"));
    ASSERT_EQ(answer.status, 200);
    ASSERT_FALSE(answer.body.contains("errors")) << answer.body;
  }
  void ReportUsage(const std::string& feature, double value) {
    Mutate("ReportUsage",
           StrCat(R"({"customerId":"customer-demo-01","featureId":")", feature, R"(","value":)", value, "}"));
  }

  HttpAnswer Fault(const std::string& json) { return Exchange(port_, verb::post, "/_dev/faults", json); }
  HttpAnswer Push(const std::string& json) { return Exchange(port_, verb::post, "/_dev/push", json); }
  /// A push that any subscriber of usage sees, to show what came before it.
  void PushMarker() { ASSERT_EQ(Push(R"({"subscription":"usageUpdatedV2","payload":{"data":"marker"}})").status, 200); }

  testing::SimTime time_;
  std::string data_file_;
  uint16_t port_ = 0;
  std::unique_ptr<DevUpstream> upstream_;
};

TEST_F(PushTest, AcknowledgesAKeyAndAnswersPings) {
  WsClient client(Start());
  EXPECT_EQ(client.upgrade_status(), 101);
  EXPECT_EQ(client.protocol(), "graphql-transport-ws");
  client.Ping();  // also before the acknowledgement
  client.Init();
  client.Ping();
}

TEST_F(PushTest, ClosesWithTheCodesOfTheProtocol) {
  const std::string init = R"({"type":"connection_init","payload":{"headers":{"x-api-key":"k"}}})";
  const std::string subscribe =
      R"({"id":"1","type":"subscribe","payload":{"query":"subscription { usageUpdatedV2 { x } }"}})";
  const struct {
    std::vector<std::string> messages;
    int code;
    std::string reason;
  } rows[] = {
      {{R"({"type":"connection_init"})"}, 4403, "Invalid API key"},
      {{R"({"type":"connection_init","payload":{"headers":{"X-API-KEY":""}}})"}, 4403, "Invalid API key"},
      {{R"({"type":"connection_init","payload":{"X-API-KEY":"k"}})"}, 4403, "Invalid API key"},
      {{init, init}, 4429, "Too many initialisation requests"},
      {{subscribe}, 4401, "Unauthorized"},
      {{init, subscribe, subscribe}, 4409, "Subscriber for 1 already exists"},
      {{init, R"({"id":"1","type":"subscribe"})"}, 4400, "Invalid message received"},
      {{init, R"({"type":"subscribe","payload":{"query":"{ a }"}})"}, 4400, "Invalid message received"},
      {{"no JSON"}, 4400, "Invalid message received"},
      {{R"(["connection_init"])"}, 4400, "Invalid message received"},
      {{R"({"type":"hello"})"}, 4400, "Invalid message received"},
  };
  Start();
  for (const auto& row : rows) {
    WsClient client(port_);
    for (const std::string& message : row.messages) client.Send(message);
    EXPECT_EQ(client.ReadClose(), row.code) << row.messages.back();
    EXPECT_EQ(client.close_reason(), row.reason);
  }
}

TEST_F(PushTest, AConnectionThatSaysNothingIsClosed) {
  WsClient client(Start({.push = {.connection = {.init = Millis(20)}}}));
  EXPECT_EQ(client.ReadClose(), 4408);
}

TEST_F(PushTest, AnotherSubprotocolIsClosed) {
  Start();
  WsClient none(port_, "");
  EXPECT_EQ(none.ReadClose(), 4406);
  WsClient old(port_, "graphql-ws");
  EXPECT_EQ(old.ReadClose(), 4406);
}

TEST_F(PushTest, OnlyTheGraphqlPathUpgrades) {
  Start();
  EXPECT_EQ(WsClient(port_, "graphql-transport-ws", "/other").upgrade_status(), 404);
}

TEST_F(PushTest, BytesBeforeTheUpgradeIsAnsweredEndTheConnection) {
  // Nothing may follow the request yet, and what did would get lost.
  Start();
  boost::asio::io_context context;
  boost::asio::ip::tcp::socket socket(context);
  socket.connect(Loopback(port_));
  const std::string request =
      "GET /graphql HTTP/1.1\r\nHost: dev\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\nearly";
  boost::asio::write(socket, boost::asio::buffer(request));
  std::string answer;
  boost::asio::async_read(socket, boost::asio::dynamic_buffer(answer),
                          [&](const boost::system::error_code&, size_t) { context.stop(); });
  context.run_for(kPatience);
  EXPECT_TRUE(context.stopped());
  EXPECT_EQ(answer, "");
}

TEST_F(PushTest, OversizeMessagesEndTheConnection) {
  WsClient client(Start({.push = {.connection = {.message_bytes_max = 1000}}}));
  client.Send(std::string(1001, ' '));
  EXPECT_EQ(client.ReadClose(), 1009);
}

TEST_F(PushTest, ConnectionsAreBounded) {
  Start({.push = {.connections_max = 1}});
  WsClient first(port_);
  EXPECT_EQ(first.upgrade_status(), 101);
  EXPECT_EQ(WsClient(port_).upgrade_status(), 503);
}

TEST_F(PushTest, UsageReportsArePushedInBothGenerations) {
  WsClient client(Start());
  client.Init();
  client.Subscribe("old", "usageUpdated");
  client.Subscribe("new", "usageUpdatedV2");
  ReportUsage("feature-02-campaigns", 2);

  const Json v1 = client.Read();
  EXPECT_EQ(v1["id"], "old");
  EXPECT_EQ(v1["type"], "next");
  const Json usage = v1["payload"]["data"]["usageUpdated"]["usage"];
  EXPECT_EQ(usage["customerId"], "customer-demo-01");
  EXPECT_EQ(usage["featureId"], "feature-02-campaigns");
  EXPECT_EQ(usage["currentUsage"], 2);
  EXPECT_EQ(usage["usagePeriodStart"], 1'793'491'200'000);  // 2026-11-01
  EXPECT_EQ(v1["payload"]["data"]["usageUpdated"]["entitlement"]["currentUsage"], 2);

  const Json v2 = client.Read();
  EXPECT_EQ(v2["id"], "new");
  const Json update = v2["payload"]["data"]["usageUpdatedV2"];
  EXPECT_EQ(update["entitlementReference"]["type"], "FEATURE");
  EXPECT_EQ(update["entitlementReference"]["id"], "feature-02-campaigns");
  EXPECT_EQ(update["usage"]["currentUsage"], 2);
  EXPECT_EQ(update["usage"]["usagePeriodStart"], "2026-11-01T00:00:00.000Z");
  EXPECT_EQ(update["usage"]["usageUpdatedAt"], "2026-11-21T10:00:00.000Z");
}

TEST_F(PushTest, CountedEventsArePushedOncePerFigure) {
  WsClient client(Start());
  client.Init();
  client.Subscribe("1", "usageUpdatedV2");
  const auto login = [](const std::string& key, const std::string& user) {
    return StrCat(R"({"eventName":"user_login","customerId":"customer-demo-01","idempotencyKey":")", key,
                  R"(","dimensions":{"user_id":")", user, R"("}})");
  };
  Mutate("ReportEvent", StrCat(R"({"usageEvents":[)", login("a", "u1"), ",", login("b", "u2"), "]}"));
  const Json update = client.Read()["payload"]["data"]["usageUpdatedV2"];
  EXPECT_EQ(update["entitlementReference"]["id"], "feature-07-active-users");
  EXPECT_EQ(update["usage"]["currentUsage"], 3);
  Mutate("ReportEvent", StrCat(R"({"usageEvents":[)", login("c", "u1"), "]}"));  // moves nothing
  PushMarker();
  EXPECT_EQ(client.Read()["payload"]["data"], "marker");
}

TEST_F(PushTest, EditsOfTheDataFileArePushedForThoseWhomTheyChange) {
  const auto world = [](int limit, const std::string& more) {
    return StrCat(R"({"features":{"seats":{"type":"metered"}},"plans":{"a":{"seats":{"limit":)", limit,
                  R"(}},"b":{"seats":{"limit":1}}},"customers":{"one":{"plan":"a","resources":{"r":{"plan":"a"}}},
                     "other":{"plan":"b"})",
                  more, "}}");
  };
  WriteData(world(5, R"(,"leaver":{"plan":"b"})"));
  WsClient client(Start({.data_file = data_file_}));
  client.Init();
  client.Subscribe("v2", "entitlementsUpdatedV2");
  WriteData(world(6, ""));

  const Json leaver = client.Read()["payload"]["data"]["entitlementsUpdatedV2"];
  EXPECT_EQ(leaver["customerId"], "leaver");
  EXPECT_EQ(leaver["accessDeniedReason"], "CustomerNotFound");
  EXPECT_TRUE(leaver["entitlements"].empty());
  for (const bool resource : {false, true}) {
    const Json changed = client.Read()["payload"]["data"]["entitlementsUpdatedV2"];
    EXPECT_EQ(changed["customerId"], "one");
    EXPECT_EQ(changed["resourceId"], resource ? Json("r") : Json());
    EXPECT_EQ(changed["entitlements"][0]["usageLimit"], 6);
  }
  EXPECT_EQ(Push(R"({"subscription":"entitlementsUpdatedV2","payload":"marker"})").status, 200);
  EXPECT_EQ(client.Read()["payload"], "marker") << "nothing for the customer who kept what they had";
}

TEST_F(PushTest, CreditsThatPayForUsageArePushed) {
  WriteData(R"({"features":{"drafts":{"type":"metered"}},"credits":{"tokens":{"displayName":"T"}},
    "plans":{"p":{"drafts":{"unlimited":true,"creditRate":{"credit":"tokens","amount":2.5}},"tokens":{"limit":100}}},
    "customers":{"customer-demo-01":{"plan":"p","usage":{"tokens":10}}}})");
  WsClient client(Start({.data_file = data_file_}));
  client.Init();
  client.Subscribe("balance", "creditBalanceUpdated");
  client.Subscribe("usage", "usageUpdatedV2");
  ReportUsage("drafts", 4);
  EXPECT_EQ(client.Read()["payload"]["data"]["usageUpdatedV2"]["entitlementReference"]["id"], "drafts");
  const Json balance = client.Read()["payload"]["data"]["creditBalanceUpdated"];
  EXPECT_EQ(balance["currency"]["currencyId"], "tokens");
  EXPECT_EQ(balance["currentBalance"], 80);
  EXPECT_EQ(balance["totalConsumed"], 20);
  EXPECT_EQ(balance["totalGranted"], 100);
  const Json used = client.Read()["payload"]["data"]["usageUpdatedV2"];
  EXPECT_EQ(used["entitlementReference"]["type"], "CREDIT");
  EXPECT_EQ(used["usage"]["currentUsage"], 20);
}

TEST_F(PushTest, EachSubscriptionHearsUntilItIsCompleted) {
  WsClient client(Start());
  client.Init();
  client.Subscribe("a", "usageUpdatedV2");
  client.Subscribe("b", "usageUpdatedV2");
  const Json described = Exchange(port_, verb::get, "/_dev/subscribers").body;
  EXPECT_EQ(described["connections"], 1);
  EXPECT_EQ(described["subscriptions"]["usageUpdatedV2"], 2);
  EXPECT_EQ(described["subscriptions"]["usageUpdated"], 0);
  PushMarker();
  EXPECT_EQ(client.Read()["id"], "a");
  EXPECT_EQ(client.Read()["id"], "b");
  client.Send(R"({"type":"complete","id":"a"})");
  client.Ping();
  PushMarker();
  EXPECT_EQ(client.Read()["id"], "b");
  client.Subscribe("a", "usageUpdatedV2");  // its id is free again
}

TEST_F(PushTest, AnUnknownRootFieldIsAnErrorOfThatSubscription) {
  WsClient client(Start());
  client.Init();
  client.Send(R"({"id":"1","type":"subscribe","payload":{"query":"subscription { nothing { x } }"}})");
  const Json error = client.Read();
  EXPECT_EQ(error["type"], "error");
  EXPECT_EQ(error["id"], "1");
  EXPECT_EQ(error["payload"][0]["message"], "Cannot query field \"nothing\" on type \"Subscription\".");
  client.Ping();
}

TEST_F(PushTest, PushesAnyPayload) {
  WsClient client(Start());
  client.Init();
  client.Subscribe("1", "packagePublished");
  const HttpAnswer answer = Push(R"({"subscription":"OnPackagePublished","payload":{"errors":[1]}})");
  EXPECT_EQ(answer.body, (Json{{"subscriptions", 1}}));
  EXPECT_EQ(client.Read()["payload"], (Json{{"errors", Json::array({1})}}));
  EXPECT_EQ(Push(R"({"subscription":"other","payload":1})").status, 400);
  EXPECT_EQ(Push(R"({"subscription":"usageUpdated"})").status, 400);
  EXPECT_EQ(Push("nothing").status, 400);
}

TEST_F(PushTest, FaultCloseHitsOpenConnectionsAndThenNewOnes) {
  WsClient open(Start());
  open.Init();
  EXPECT_EQ(Fault(R"({"fault":"close","channel":"websocket","code":4403,"reason":"Invalid API key","times":2})").status,
            200);
  EXPECT_EQ(open.ReadClose(), 4403);
  EXPECT_EQ(open.close_reason(), "Invalid API key");
  WsClient next(port_);
  next.Send(R"({"type":"connection_init","payload":{"headers":{"X-API-KEY":"key"}}})");
  EXPECT_EQ(next.ReadClose(), 4403);
  WsClient third(port_);
  third.Init();
}

TEST_F(PushTest, FaultSilentAnswersNothingButKeepsTheSocket) {
  WsClient client(Start());
  client.Init();
  client.Subscribe("1", "usageUpdatedV2");
  EXPECT_EQ(Fault(R"({"fault":"silent","channel":"websocket","times":1})").status, 200);
  EXPECT_EQ(Push(R"({"subscription":"usageUpdatedV2","payload":1})").body, (Json{{"subscriptions", 0}}));
  client.Send(R"({"type":"ping"})");
  EXPECT_EQ(client.ReadText(Millis(50)), std::nullopt);
  EXPECT_FALSE(client.closed());
  WsClient other(port_);
  other.Init();
}

TEST_F(PushTest, FaultRefuseAnswersTheUpgrade) {
  Start();
  EXPECT_EQ(Fault(R"({"fault":"refuse","channel":"websocket","times":1})").status, 200);
  EXPECT_EQ(WsClient(port_).upgrade_status(), 503);
  EXPECT_EQ(WsClient(port_).upgrade_status(), 101);
}

TEST_F(PushTest, FaultErrorHitsTheNextSubscribe) {
  WsClient client(Start());
  client.Init();
  EXPECT_EQ(Fault(R"({"fault":"error","channel":"websocket","times":1,"reason":"boom"})").status, 200);
  const std::string subscribe =
      R"({"id":"1","type":"subscribe","payload":{"query":"subscription { usageUpdatedV2 { x } }"}})";
  client.Send(subscribe);
  const Json error = client.Read();
  EXPECT_EQ(error["type"], "error");
  EXPECT_EQ(error["payload"][0]["message"], "boom");
  client.Send(subscribe);  // the id is free: that subscription is over
  client.Ping();
  PushMarker();
  EXPECT_EQ(client.Read()["type"], "next");
}

TEST_F(PushTest, FaultBadJsonHitsTheNextPush) {
  WsClient client(Start());
  client.Init();
  client.Subscribe("1", "usageUpdatedV2");
  EXPECT_EQ(Fault(R"({"fault":"bad-json","channel":"websocket","times":1})").status, 200);
  PushMarker();
  EXPECT_FALSE(ParseJson(client.ReadText().value_or("{}")).ok());
  PushMarker();
  EXPECT_EQ(client.Read()["payload"]["data"], "marker");
}

TEST_F(PushTest, WebSocketFaultsLeaveHttpAlone) {
  Start();
  for (const char* kind : {"close", "silent", "bad-json"}) {
    EXPECT_EQ(Fault(StrCat(R"({"fault":")", kind, R"(","channel":"websocket"})")).status, 200);
  }
  ReportUsage("feature-02-campaigns", 1);
}

TEST_F(PushTest, ASubscriberThatDoesNotReadIsDropped) {
  // More than loopback's socket buffers hold, in messages below the bound of the queue.
  constexpr size_t kMessage = 1 << 20;
  constexpr int kPushesMax = 200;
  WsClient client(Start({.push = {.connection = {.queued_bytes_max = 2 * kMessage}}}));
  client.Init();
  client.Subscribe("1", "usageUpdatedV2");
  const std::string push = StrCat(R"({"subscription":"usageUpdatedV2","payload":")", std::string(kMessage, 'x'), "\"}");
  int pushes = 0;
  while (pushes < kPushesMax && Push(push).body == Json{{"subscriptions", 1}}) ++pushes;
  EXPECT_GT(pushes, 1);
  EXPECT_LT(pushes, kPushesMax);
  EXPECT_EQ(Exchange(port_, verb::get, "/_dev/subscribers").body["connections"], 0);
}

}  // namespace
}  // namespace sidecar::dev
