#include <gtest/gtest.h>

#include <optional>

#include "adapters/upstream/graphql_source.h"
#include "adapters/upstream/graphql_usage_sink.h"
#include "adapters/upstream/startup_check.h"
#include "support/fake_transport.h"
#include "support/fixtures.h"
#include "support/sim_clock.h"

namespace sidecar {
namespace {

using testing::Fixture;

constexpr char kRejected[] =
    R"({"errors":[{"message":"Cannot query field \"entitlementsState\"","extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}}]})";

std::string StateBody() { return Fixture("edge-entitlements-state.json"); }
std::string ListBody() { return Fixture("graphql-entitlements.json"); }

class GraphqlTest : public ::testing::Test {
 protected:
  Json Body(size_t request) const { return *ParseJson(transport_.requests.at(request).body); }
  std::string Operation(size_t request) const { return Body(request)["operationName"].get<std::string>(); }

  testing::SimTime time_;
  testing::FixedRandom random_;
  testing::FakeTransport transport_;
  Metrics metrics_;
  UpstreamHttp http_{transport_, ProcessIdentity{.version = "1.2.3"}, [] { return "key"; }, time_, metrics_};
  GraphqlClient client_{http_, "http://api"};
  const RetryTools tools_{time_, time_, random_};
};

class GraphqlSourceTest : public GraphqlTest {
 protected:
  void Fetch(EntityKey key = {"cust", ""}) {
    result_.reset();
    source_.Fetch(key, time_.Now() + Millis(10'000),
                  [this](UpstreamResult<CustomerEntitlements> result) { result_ = std::move(result); });
  }

  GraphqlSource source_{client_, GenerationSetting::kAuto, tools_, RetryPolicy{}, metrics_};
  std::optional<UpstreamResult<CustomerEntitlements>> result_;
};

TEST_F(GraphqlSourceTest, AsksForTheState) {
  transport_.WillAnswer(200, StateBody());
  Fetch({"cust", "site"});
  ASSERT_TRUE(result_->ok());
  EXPECT_EQ(transport_.requests[0].url, "http://api/graphql");
  EXPECT_EQ(Operation(0), "GetEntitlementsState");
  EXPECT_EQ(Body(0)["variables"].dump(), R"({"query":{"customerId":"cust","resourceId":"site"}})");
}

TEST_F(GraphqlSourceTest, LeavesOutAnAbsentResource) {
  transport_.WillAnswer(200, StateBody());
  Fetch();
  EXPECT_EQ(Body(0)["variables"].dump(), R"({"query":{"customerId":"cust"}})");
}

TEST_F(GraphqlSourceTest, BodiesAreOrderedAsTheProtocolSays) {
  transport_.WillAnswer(200, StateBody());
  Fetch();
  std::vector<std::string> names;
  const Json body = Body(0);
  for (const auto& [name, value] : body.items()) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"operationName", "variables", "query"}));
}

TEST_F(GraphqlSourceTest, SendsTheHeadersOfTheProtocol) {
  transport_.WillAnswer(200, StateBody());
  Fetch();
  HttpResponse as_headers{.headers = transport_.requests[0].headers};
  EXPECT_EQ(*as_headers.Header("Content-Type"), "application/json");
  EXPECT_EQ(*as_headers.Header("x-graphql-operation-name"), "GetEntitlementsState");
  EXPECT_EQ(*as_headers.Header("apollographql-client-name"), "stigg-sidecar");
  EXPECT_EQ(*as_headers.Header("apollographql-client-version"), "1.2.3");
  EXPECT_EQ(as_headers.Header("X-API-VERSION"), nullptr);
}

TEST_F(GraphqlSourceTest, FallsBackToV1WhereTheStateIsUnknownAndStaysThere) {
  transport_.WillAnswer(400, kRejected);
  transport_.WillAnswer(200, ListBody());
  Fetch();
  ASSERT_TRUE(result_->ok());
  EXPECT_EQ(Operation(1), "GetEntitlements");
  transport_.WillAnswer(200, ListBody());
  Fetch();
  EXPECT_EQ(Operation(2), "GetEntitlements");
}

TEST_F(GraphqlSourceTest, OtherErrorsDoNotSwitch) {
  transport_.WillAnswer(200, Fixture("graphql-error-unauthenticated.json"));
  Fetch();
  EXPECT_FALSE(result_->ok());
  EXPECT_EQ(transport_.requests.size(), 1U);
}

class UsageSinkTest : public GraphqlTest {
 protected:
  static UsageReport Report(std::string key = "key-1") {
    return {.key = {"cust-northwind", "site-eu-1"},
            .feature_id = "feature-api-calls",
            .value = 3,
            .update = UsageUpdate::kSet,
            .dimensions = {{"region", "eu"}, {"n", 2.0}, {"ok", true}},
            .created_at = ParseDate("2026-11-20T10:00:00.000Z"),
            .idempotency_key = std::move(key)};
  }

  void Send(std::vector<UsageReport> reports, Millis within = Millis(10'000)) {
    usage_.reset();
    sink_.ReportUsage(std::move(reports), time_.Now() + within,
                      [this](UpstreamResult<std::vector<UsageReceipt>> result) { usage_ = std::move(result); });
  }

  std::string IdempotencyKey(size_t request) const {
    const Json input = Body(request)["variables"]["input"];
    return input.contains("idempotencyKey") ? input["idempotencyKey"].get<std::string>() : "";
  }

  GraphqlUsageSink sink_{client_, GenerationSetting::kAuto, tools_, RetryPolicy{}, metrics_};
  std::optional<UpstreamResult<std::vector<UsageReceipt>>> usage_;
};

TEST_F(UsageSinkTest, SendsWhatTheProtocolSays) {
  transport_.WillAnswer(200, Fixture("graphql-report-usage.json"));
  Send({Report()});
  ASSERT_TRUE(usage_->ok());
  EXPECT_TRUE(transport_.requests[0].send_once);
  Json expected = (*ParseJson(Fixture("request-graphql-report-usage.json")))["variables"]["input"];
  expected["idempotencyKey"] = "key-1";
  // Unordered: what is compared is the content.
  EXPECT_EQ(nlohmann::json::parse(Body(0)["variables"]["input"].dump()), nlohmann::json::parse(expected.dump()));
}

TEST_F(UsageSinkTest, ReadsTheReceipt) {
  transport_.WillAnswer(200, Fixture("graphql-report-usage-with-credit.json"));
  Send({Report()});
  const UsageReceipt& receipt = usage_->value()[0];
  EXPECT_EQ(receipt.measurement_id, "5f0c2a77-4a62-47c8-8a55-0b8f8f6f1d10");
  EXPECT_EQ(receipt.current_usage, 13);
  EXPECT_EQ(receipt.key.customer_id, "cust-northwind");
  ASSERT_TRUE(receipt.credit.has_value());
  EXPECT_EQ(receipt.credit->currency_id, "credits-ai");
  EXPECT_EQ(receipt.credit->current_usage, 412.5);
  EXPECT_EQ(FormatDate(*receipt.credit->usage_period_end), "2096-12-01T00:00:00.000Z");
}

TEST_F(UsageSinkTest, SeveralGoInBulk) {
  transport_.WillAnswer(200,
                        R"({"data":{"reportUsageBulk":[{"id":"1","currentUsage":4},{"id":"2","currentUsage":5}]}})");
  Send({Report("a"), Report("b")});
  ASSERT_TRUE(usage_->ok());
  EXPECT_EQ(Operation(0), "ReportUsageBulk");
  EXPECT_EQ(Body(0)["variables"]["input"]["usages"].size(), 2U);
  EXPECT_EQ(usage_->value()[1].measurement_id, "2");
  EXPECT_EQ(usage_->value()[1].key, Report().key) << "what the answer leaves out, the request says";
}

TEST_F(UsageSinkTest, ABulkAnswerOfTheWrongLengthIsUnusable) {
  transport_.WillAnswer(200, Fixture("graphql-report-usage-bulk.json"));
  Send({Report("a"), Report("b")});
  EXPECT_FALSE(usage_->ok());
  EXPECT_EQ(metrics_.malformed_responses.value(), 1U);
}

TEST_F(UsageSinkTest, RetriesWithTheSameIdempotencyKey) {
  transport_.WillFail(absl::UnavailableError("connection lost"));
  transport_.WillAnswer(200, Fixture("graphql-report-usage.json"));
  Send({Report("the-key")});
  EXPECT_FALSE(usage_.has_value());
  time_.Advance(Millis(200));
  ASSERT_TRUE(usage_->ok());
  EXPECT_EQ(IdempotencyKey(0), "the-key");
  EXPECT_EQ(IdempotencyKey(1), "the-key");
}

TEST_F(UsageSinkTest, FallsBackToV1WithoutTheKeyAndKeepsToIt) {
  transport_.WillAnswer(400, kRejected);
  transport_.WillAnswer(200, Fixture("graphql-report-usage.json"));
  Send({Report()});
  ASSERT_TRUE(usage_->ok());
  EXPECT_EQ(IdempotencyKey(1), "");
  transport_.WillAnswer(200, Fixture("graphql-report-usage.json"));
  Send({Report()});
  EXPECT_EQ(IdempotencyKey(2), "");
}

TEST_F(UsageSinkTest, AnUnknownInputMemberIsAnUnknownGeneration) {
  transport_.WillAnswer(
      400, R"({"errors":[{"message":"Field \"idempotencyKey\" is not defined by type \"ReportUsageInput\".",)"
           R"("extensions":{"code":"BAD_USER_INPUT"}}]})");
  transport_.WillAnswer(200, Fixture("graphql-report-usage.json"));
  Send({Report()});
  EXPECT_TRUE(usage_->ok());
}

TEST_F(UsageSinkTest, WithoutAKeyAReportThatMayHaveBeenCountedIsNotRepeated) {
  transport_.WillAnswer(400, kRejected);
  transport_.WillFail(absl::UnavailableError("connection lost"));
  Send({Report()});
  time_.Advance(Millis(60'000));
  ASSERT_TRUE(usage_.has_value());
  EXPECT_EQ(usage_->failure().status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(transport_.requests.size(), 2U);
}

TEST_F(UsageSinkTest, WithoutAKeyWhatSurelyWasNotSentIsRepeated) {
  transport_.WillAnswer(400, kRejected);
  transport_.WillFail(absl::UnavailableError("refused"), /*surely_not_sent=*/true);
  transport_.WillAnswer(200, Fixture("graphql-report-usage.json"));
  Send({Report()});
  time_.Advance(Millis(200));
  EXPECT_TRUE(usage_->ok());
}

TEST_F(UsageSinkTest, TimeOutsAreNotRepeated) {
  transport_.WillFail(absl::DeadlineExceededError("slow"));
  Send({Report()});
  ASSERT_TRUE(usage_.has_value());
  EXPECT_EQ(usage_->failure().status.code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(UsageSinkTest, EventsMayBeRepeatedAlways) {
  transport_.WillAnswer(502, "");
  transport_.WillAnswer(200, Fixture("graphql-report-event.json"));
  bool ok = false;
  const std::vector<UsageEvent> events{
      {.event_name = "draft_created",
       .key = {"cust-northwind", ""},
       .idempotency_key = "k-1",
       .dimensions = {{"model", "m1"}, {"tokens", 12.5}, {"ok", true}},
       .timestamp = ParseDate("2026-11-20T10:00:00.000Z")},
      {.event_name = "draft_created", .key = {"cust-northwind", "site-eu-1"}, .idempotency_key = "k-2"}};
  sink_.ReportEvents(events, time_.Now() + Millis(10'000),
                     [&](UpstreamResult<std::monostate> result) { ok = result.ok(); });
  time_.Advance(Millis(200));
  EXPECT_TRUE(ok);
  EXPECT_EQ(transport_.requests.size(), 2U);
  const Json expected = *ParseJson(Fixture("request-graphql-report-event.json"));
  EXPECT_EQ(nlohmann::json::parse(Body(1)["variables"].dump()), nlohmann::json::parse(expected["variables"].dump()));
  EXPECT_EQ(Body(1)["query"], expected["query"]);
}

TEST_F(GraphqlTest, TheStartUpCheckGoesToTheEdgeOrToGraphql) {
  int ok = 0;
  const auto count = [&](UpstreamResult<Json> result) { ok += result.ok(); };
  transport_.WillAnswer(200, Fixture("edge-sdk-configuration.json"));
  CheckApiKey(http_, client_, "http://edge", time_.Now() + Millis(1000), count);
  EXPECT_EQ(transport_.requests[0].url, "http://edge/v1/config/server-sdk-configuration.json");
  transport_.WillAnswer(200, Fixture("edge-sdk-configuration.json"));
  CheckApiKey(http_, client_, "", time_.Now() + Millis(1000), count);
  EXPECT_EQ(Operation(1), "GetSdkConfiguration");
  EXPECT_EQ(ok, 2);
}

}  // namespace
}  // namespace sidecar
