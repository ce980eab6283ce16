// The client library against a server that says what the test wants: what is sent, what is read, and what happens when
// nobody answers.
#include "stigg/sidecar/client.h"

#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "support/certificate.h"
#include "support/status_matchers.h"
#include "support/tcp_server.h"
#include "support/temporary_directory.h"
#include "unit/sdk/scripted_sidecar.h"

namespace stigg::sidecar {
namespace {

using ::sidecar::testing::Certificate;
using ::sidecar::testing::Contents;
using ::sidecar::testing::FailsWith;
using ::sidecar::testing::IsOk;
using ::sidecar::testing::TcpServer;
using ::sidecar::testing::TemporaryDirectory;
using testing::ScriptedSidecar;

constexpr char kFeature[] =
    R"(feature { id: "f" feature_type: FEATURE_TYPE_NUMBER units: "u" units_plural: "us" meter_type: METER_TYPE_INCREMENTAL is_metered: true })";
const Feature kFeatureValue{.id = "f",
                            .type = FeatureType::kNumber,
                            .units = "u",
                            .units_plural = "us",
                            .meter = MeterType::kIncremental,
                            .is_metered = true};

Time At(int64_t ms) { return Time(Millis(ms)); }

std::unique_ptr<Client> ClientFor(ClientOptions options) {
  auto client = Client::Create(std::move(options));
  EXPECT_THAT(client, IsOk());
  return *std::move(client);
}

class SdkTest : public ::testing::Test {
 protected:
  ScriptedSidecar server_;
  std::unique_ptr<Client> client_ = ClientFor({.host = "127.0.0.1", .port = server_.port(), .timeout = Millis(10'000)});
};

TEST_F(SdkTest, Boolean) {
  server_.Answer(std::string("has_access: true entitlement { ") + kFeature + " }");
  const auto answer = client_->GetBooleanEntitlement(
      {.customer_id = "c", .feature_id = "f", .resource_id = "r", .fallback = BooleanFallback{.has_access = true}});
  ASSERT_THAT(answer, IsOk());
  EXPECT_EQ(server_.asked(),
            R"(customer_id: "c" feature_id: "f" resource_id: "r" options { fallback { has_access: true } })");
  EXPECT_TRUE(answer->has_access);
  EXPECT_FALSE(answer->is_fallback);
  EXPECT_EQ(answer->access_denied_reason, std::nullopt);
  EXPECT_EQ(answer->entitlement.feature, kFeatureValue);
  EXPECT_EQ(answer->source, Source::kNotSaid);
}

TEST_F(SdkTest, Numeric) {
  server_.Answer(
      "is_fallback: true access_denied_reason: ACCESS_DENIED_REASON_REVOKED entitlement { value: 7 is_unlimited: true "
      "}");
  const auto answer = client_->GetNumericEntitlement(
      {.customer_id = "c", .feature_id = "f", .fallback = NumericFallback{.value = 3, .is_unlimited = false}});
  ASSERT_THAT(answer, IsOk());
  EXPECT_EQ(server_.asked(),
            R"(customer_id: "c" feature_id: "f" options { fallback { value: 3 is_unlimited: false } })")
      << "what is given is sent, though it is the default";
  EXPECT_FALSE(answer->has_access);
  EXPECT_TRUE(answer->is_fallback);
  EXPECT_EQ(answer->access_denied_reason, AccessDeniedReason::kRevoked);
  EXPECT_EQ(answer->entitlement, (NumericEntitlement{.value = 7, .is_unlimited = true}));
}

TEST_F(SdkTest, Metered) {
  server_.Answer(
      R"(has_access: true requested_usage: 2 entitlement { usage_limit: 10.5 current_usage: 3 has_soft_limit: true
         reset_period: ENTITLEMENT_RESET_PERIOD_MONTH usage_period_anchor { seconds: 1 nanos: 500000000 }
         usage_period_start { seconds: 2 } usage_period_end { seconds: -3 } })",
      {{"x-entitlement-source", "redis"}, {"x-entitlement-age-ms", "1234"}});
  const auto answer = client_->GetMeteredEntitlement(
      {.customer_id = "c", .feature_id = "f", .requested_usage = 2, .fallback = MeteredFallback{.usage_limit = 5}},
      {.max_staleness = Millis(500), .trace = true});
  ASSERT_THAT(answer, IsOk());
  EXPECT_EQ(server_.asked(),
            R"(customer_id: "c" feature_id: "f" options { requested_usage: 2 fallback { usage_limit: 5 } })");
  EXPECT_EQ(server_.metadata("x-max-staleness-ms"), "500");
  EXPECT_EQ(server_.metadata("x-entitlement-trace"), "1");
  EXPECT_EQ(answer->requested_usage, 2);
  EXPECT_EQ(answer->entitlement, (MeteredEntitlement{.usage_limit = 10.5,
                                                     .has_soft_limit = true,
                                                     .current_usage = 3,
                                                     .reset_period = ResetPeriod::kMonth,
                                                     .usage_period_anchor = At(1'500),
                                                     .usage_period_start = At(2'000),
                                                     .usage_period_end = At(-3'000)}));
  EXPECT_EQ(answer->source, Source::kRedis);
  EXPECT_EQ(answer->age, Millis(1'234));
}

TEST_F(SdkTest, Enum) {
  server_.Answer(R"(has_access: true requested_values: "a" entitlement { enum_values: "a" enum_values: "b" })");
  const auto answer = client_->GetEnumEntitlement({.customer_id = "c",
                                                   .feature_id = "f",
                                                   .requested_values = {"a"},
                                                   .fallback = EnumFallback{.has_access = true, .values = {"x"}}});
  ASSERT_THAT(answer, IsOk());
  EXPECT_EQ(
      server_.asked(),
      R"(customer_id: "c" feature_id: "f" options { requested_values: "a" fallback { has_access: true enum_values: "x" } })");
  EXPECT_EQ(answer->requested_values, std::vector<std::string>{"a"});
  EXPECT_EQ(answer->entitlement.values, (std::vector<std::string>{"a", "b"}));
}

TEST_F(SdkTest, EntitlementOfEveryKind) {
  const std::pair<const char*, Entitlement> kinds[] = {
      {"boolean { }", BooleanEntitlement{}},
      {"numeric { value: 1 }", NumericEntitlement{.value = 1}},
      {"metered { current_usage: 2 }", MeteredEntitlement{.current_usage = 2}},
      {R"(enum { enum_values: "a" })", EnumEntitlement{.values = {"a"}}},
      {"", std::monostate{}},
  };
  for (const auto& [text, value] : kinds) {
    server_.Answer(std::string("has_access: true ") + text);
    const auto answer = client_->GetEntitlement({.customer_id = "c", .feature_id = "f"});
    ASSERT_THAT(answer, IsOk());
    EXPECT_TRUE(answer->entitlement == value) << text;
  }
}

TEST_F(SdkTest, EntitlementsFallbacksOfEveryKindAreSent) {
  const std::pair<Fallback, const char*> kinds[] = {
      {BooleanFallback{.has_access = true}, "fallback { has_access: true }"},
      {NumericFallback{.has_access = true, .value = 2}, "fallback { has_access: true value: 2 }"},
      {MeteredFallback{.has_access = true, .is_unlimited = true}, "fallback { has_access: true is_unlimited: true }"},
      {EnumFallback{.has_access = true, .values = {"v"}}, R"(fallback { has_access: true enum_values: "v" })"},
  };
  for (const auto& [fallback, text] : kinds) {
    const auto answer = client_->GetEntitlement(
        {.customer_id = "c", .feature_id = "f", .requested_usage = 1, .requested_values = {"w"}, .fallback = fallback});
    ASSERT_THAT(answer, IsOk());
    EXPECT_EQ(server_.asked(), std::string(R"(customer_id: "c" feature_id: "f" options { )") + text +
                                   R"( requested_usage: 1 requested_values: "w" })");
  }
}

TEST_F(SdkTest, EntitlementV2OfACredit) {
  server_.Answer(
      R"(entitlement { has_access: true credit { currency { currency_id: "t" display_name: "Tokens" description: "d"
           unit_singular: "token" unit_plural: "tokens" additional_meta_data { fields { key: "a" value { number_value: 1 } } } }
         usage_limit: 10 current_usage: 4 remaining: 6 has_soft_limit: true usage_period_end { seconds: 9 } } })");
  const auto answer = client_->GetEntitlementV2({.customer_id = "c", .currency_id = "t", .resource_id = "r"});
  ASSERT_THAT(answer, IsOk());
  EXPECT_EQ(server_.asked(), R"(customer_id: "c" resource_id: "r" currency_id: "t" options { })");
  EXPECT_EQ(std::get<CreditEntitlement>(answer->entitlement),
            (CreditEntitlement{.currency = {.id = "t",
                                            .display_name = "Tokens",
                                            .description = "d",
                                            .unit_singular = "token",
                                            .unit_plural = "tokens",
                                            .metadata_json = R"({"a":1})"},
                               .usage_limit = 10,
                               .current_usage = 4,
                               .remaining = 6,
                               .has_soft_limit = true,
                               .usage_period_end = At(9'000)}));
}

TEST_F(SdkTest, ListAndState) {
  server_.Answer(
      R"(entitlements { boolean { } } entitlements { numeric { value: 3 } } access_denied_reason: ACCESS_DENIED_REASON_CUSTOMER_NOT_FOUND)",
      {{"x-entitlement-source", "fallback"}});
  const auto list = client_->GetEntitlements({.customer_id = "c", .resource_id = "r"});
  ASSERT_THAT(list, IsOk());
  EXPECT_EQ(server_.asked(), R"(customer_id: "c" resource_id: "r")");
  ASSERT_EQ(list->entitlements.size(), 2U);
  EXPECT_EQ(std::get<NumericEntitlement>(list->entitlements[1]).value, 3);
  EXPECT_EQ(list->access_denied_reason, AccessDeniedReason::kCustomerNotFound);
  EXPECT_EQ(list->source, Source::kFallback);

  server_.Answer(
      R"(entitlements { has_access: true metered { current_usage: 1 } } entitlements { is_fallback: true credit { remaining: 2 } })");
  const auto state = client_->GetEntitlementsStateV2({.customer_id = "c"});
  ASSERT_THAT(state, IsOk());
  ASSERT_EQ(state->entitlements.size(), 2U);
  EXPECT_TRUE(state->entitlements[0].has_access);
  EXPECT_TRUE(state->entitlements[1].is_fallback);
  EXPECT_EQ(std::get<CreditEntitlement>(state->entitlements[1].entitlement).remaining, 2);
}

TEST_F(SdkTest, Usage) {
  server_.Answer(
      R"(measurement_id: "m" customer_id: "c" resource_id: "r" feature_id: "f" current_usage: 8
         usage_period_start { seconds: 1 } usage_period_end { seconds: 2 })",
      {{"x-report-status", "durable"}});
  const auto receipt = client_->ReportUsage({.customer_id = "c",
                                             .feature_id = "f",
                                             .value = -1.5,
                                             .resource_id = "r",
                                             .update = UsageUpdate::kSet,
                                             .dimensions = {{"b", true}, {"n", 2.5}, {"s", "text"}},
                                             .timestamp = At(-500)},
                                            {.accept_durable = true});
  ASSERT_THAT(receipt, IsOk());
  EXPECT_EQ(server_.metadata("x-accept-durable"), "1");
  v1::ReportUsageRequest asked;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(server_.asked(), &asked));
  EXPECT_EQ(asked.value(), -1.5);
  EXPECT_EQ(asked.resource_id(), "r");
  EXPECT_EQ(asked.update_behavior(), v1::USAGE_UPDATE_BEHAVIOR_SET);
  EXPECT_TRUE(asked.dimensions().at("b").boolean_value());
  EXPECT_EQ(asked.dimensions().at("n").number_value(), 2.5);
  EXPECT_EQ(asked.dimensions().at("s").string_value(), "text");
  EXPECT_EQ(asked.timestamp().seconds(), -1);
  EXPECT_EQ(asked.timestamp().nanos(), 500'000'000);
  EXPECT_EQ(receipt->measurement_id, "m");
  EXPECT_EQ(receipt->resource_id, "r");
  EXPECT_EQ(receipt->current_usage, 8);
  EXPECT_EQ(receipt->usage_period_start, At(1'000));
  EXPECT_EQ(receipt->usage_period_end, At(2'000));
  EXPECT_TRUE(receipt->is_durable);
}

TEST_F(SdkTest, UsageInBulk) {
  server_.Answer(R"(usages { measurement_id: "1" } usages { measurement_id: "2" current_usage: 5 })");
  const auto receipts = client_->ReportUsageBulk(
      {{.customer_id = "a", .feature_id = "f", .value = 1}, {.customer_id = "b", .feature_id = "f", .value = 2}});
  ASSERT_THAT(receipts, IsOk());
  EXPECT_EQ(server_.asked(),
            R"(usages { customer_id: "a" feature_id: "f" value: 1 update_behavior: USAGE_UPDATE_BEHAVIOR_DELTA } )"
            R"(usages { customer_id: "b" feature_id: "f" value: 2 update_behavior: USAGE_UPDATE_BEHAVIOR_DELTA })");
  ASSERT_EQ(receipts->size(), 2U);
  EXPECT_EQ((*receipts)[0].current_usage, std::nullopt);
  EXPECT_EQ((*receipts)[1].current_usage, 5);
}

TEST_F(SdkTest, EventsAndReload) {
  EXPECT_THAT(client_->ReportEvents({{.event_name = "e",
                                      .customer_id = "c",
                                      .idempotency_key = "k",
                                      .resource_id = "r",
                                      .dimensions = {{"n", 1.0}},
                                      .timestamp = At(1'000)}}),
              IsOk());
  EXPECT_EQ(
      server_.asked(),
      R"(events { event_name: "e" customer_id: "c" idempotency_key: "k" resource_id: "r" dimensions { key: "n" value { number_value: 1 } } timestamp { seconds: 1 } })");
  server_.Answer("entitled_entity_exists: true");
  const auto exists = client_->ReloadEntitlements({.customer_id = "c", .resource_id = "r"});
  ASSERT_THAT(exists, IsOk());
  EXPECT_TRUE(*exists);
}

/// Waits for a call without a thread of its own.
template <typename Answer, typename Start>
absl::StatusOr<Answer> Await(Start start) {
  std::promise<absl::StatusOr<Answer>> ended;
  start([&ended](absl::StatusOr<Answer> answer) { ended.set_value(std::move(answer)); });
  return ended.get_future().get();
}

TEST_F(SdkTest, AsynchronousForms) {
  const CallOptions call{.timeout = Millis(10'000)};
  server_.Answer("has_access: true");
  EXPECT_TRUE(Await<BooleanAnswer>([&](auto done) {
                client_->GetBooleanEntitlementAsync({.customer_id = "c", .feature_id = "f"}, call, done);
              })->has_access);
  EXPECT_TRUE(Await<NumericAnswer>([&](auto done) {
                client_->GetNumericEntitlementAsync({.customer_id = "c", .feature_id = "f"}, call, done);
              })->has_access);
  EXPECT_TRUE(Await<MeteredAnswer>([&](auto done) {
                client_->GetMeteredEntitlementAsync({.customer_id = "c", .feature_id = "f"}, call, done);
              })->has_access);
  EXPECT_TRUE(Await<EnumAnswer>([&](auto done) {
                client_->GetEnumEntitlementAsync({.customer_id = "c", .feature_id = "f"}, call, done);
              })->has_access);
  EXPECT_TRUE(Await<EntitlementAnswer>([&](auto done) {
                client_->GetEntitlementAsync({.customer_id = "c", .feature_id = "f"}, call, done);
              })->has_access);
  server_.Answer("entitlement { has_access: true }");
  EXPECT_TRUE(Await<EntitlementAnswer>([&](auto done) {
                client_->GetEntitlementV2Async({.customer_id = "c", .feature_id = "f"}, call, done);
              })->has_access);
  server_.Answer("entitlements { }");
  EXPECT_EQ(Await<EntitlementList>([&](auto done) {
              client_->GetEntitlementsAsync({.customer_id = "c"}, call, done);
            })->entitlements.size(),
            1U);
  EXPECT_EQ(Await<EntitlementState>([&](auto done) {
              client_->GetEntitlementsStateV2Async({.customer_id = "c"}, call, done);
            })->entitlements.size(),
            1U);
  server_.Answer(R"(measurement_id: "m")");
  EXPECT_EQ(Await<UsageReceipt>([&](auto done) {
              client_->ReportUsageAsync({.customer_id = "c", .feature_id = "f", .value = 1}, call, done);
            })->measurement_id,
            "m");
  server_.Answer("usages { }");
  EXPECT_EQ(Await<std::vector<UsageReceipt>>([&](auto done) {
              client_->ReportUsageBulkAsync({{.customer_id = "c", .feature_id = "f", .value = 1}}, call, done);
            })->size(),
            1U);
  server_.Answer("");
  std::promise<absl::Status> ended;
  client_->ReportEventsAsync({}, call, [&](absl::Status status) { ended.set_value(std::move(status)); });
  EXPECT_THAT(ended.get_future().get(), IsOk());
  server_.Answer("entitled_entity_exists: true");
  EXPECT_TRUE(*Await<bool>([&](auto done) { client_->ReloadEntitlementsAsync({.customer_id = "c"}, call, done); }));
}

TEST_F(SdkTest, ARefusedQuestionIsNoFallback) {
  server_.Fail({{grpc::StatusCode::INVALID_ARGUMENT, "customer_id: must not be empty"}});
  EXPECT_THAT(client_->GetBooleanEntitlement({.feature_id = "f", .fallback = BooleanFallback{.has_access = true}}),
              FailsWith(absl::StatusCode::kInvalidArgument, "customer_id: must not be empty"));
}

TEST_F(SdkTest, ReadsAreRepeatedAndUsageIsNot) {
  const grpc::Status gone(grpc::StatusCode::UNAVAILABLE, "draining");
  const grpc::Status cancelled(grpc::StatusCode::CANCELLED, "draining");
  server_.Answer("has_access: true");
  server_.Fail({gone, cancelled, gone});
  const auto answer = client_->GetBooleanEntitlement({.customer_id = "c", .feature_id = "f"});
  ASSERT_THAT(answer, IsOk());
  EXPECT_EQ(server_.calls(), 4);

  server_.Answer("");
  server_.Fail({cancelled});
  EXPECT_THAT(client_->ReportEvents({}), IsOk());
  EXPECT_EQ(server_.calls(), 6);

  server_.Fail({gone, cancelled});
  EXPECT_EQ(client_->ReportUsage({.customer_id = "c", .feature_id = "f"}).status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(client_->ReportUsageBulk({}).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(server_.calls(), 8);
}

TEST_F(SdkTest, AlsoLargeReportsOfEventsAreRepeated) {
  server_.Answer("");
  server_.Fail({{grpc::StatusCode::UNAVAILABLE, "draining"}});
  const std::vector<Event> events(
      5'000, Event{.event_name = std::string(200, 'e'), .customer_id = "c", .idempotency_key = "k"});
  EXPECT_THAT(client_->ReportEvents(events), IsOk());
  EXPECT_EQ(server_.calls(), 2);
}

TEST_F(SdkTest, AfterTheAttemptsTheFallbackAnswers) {
  server_.Fail(std::deque(9, grpc::Status(grpc::StatusCode::UNAVAILABLE, "draining")));
  const auto answer =
      client_->GetMeteredEntitlement({.customer_id = "c",
                                      .feature_id = "f",
                                      .requested_usage = 3,
                                      .fallback = MeteredFallback{.has_access = true, .usage_limit = 5}});
  ASSERT_THAT(answer, IsOk());
  EXPECT_EQ(server_.calls(), 4);
  EXPECT_EQ(answer->source, Source::kUnreachable);
  EXPECT_TRUE(answer->is_fallback);
  EXPECT_TRUE(answer->has_access);
  EXPECT_EQ(answer->access_denied_reason, AccessDeniedReason::kUnknown);
  EXPECT_EQ(answer->requested_usage, 3);
  EXPECT_EQ(answer->entitlement, (MeteredEntitlement{.usage_limit = 5}));
}

TEST(SdkUnreachable, NobodyListens) {
  int port = 0;
  {
    const ScriptedSidecar gone;
    port = gone.port();
  }
  const auto client = ClientFor({.host = "127.0.0.1",
                                 .port = port,
                                 .fallbacks = {{"n", NumericFallback{.has_access = true, .value = 4}},
                                               {"e", EnumFallback{.has_access = true, .values = {"v"}}}}});
  EXPECT_THAT(client->GetBooleanEntitlement({.customer_id = "c", .feature_id = "f"}),
              FailsWith(absl::StatusCode::kUnavailable, ""));
  const auto numeric = client->GetNumericEntitlement({.customer_id = "c", .feature_id = "n"});
  ASSERT_THAT(numeric, IsOk());
  EXPECT_EQ(numeric->entitlement.value, 4);
  EXPECT_EQ(numeric->source, Source::kUnreachable);
  const auto other = client->GetBooleanEntitlement({.customer_id = "c", .feature_id = "n"});
  ASSERT_THAT(other, IsOk());
  EXPECT_TRUE(other->has_access) << "of another kind: its verdict";
  const auto any = client->GetEntitlement({.customer_id = "c", .feature_id = "e"});
  ASSERT_THAT(any, IsOk());
  EXPECT_EQ(std::get<EnumEntitlement>(any->entitlement).values, std::vector<std::string>{"v"});
  const auto credit = client->GetEntitlementV2(
      {.customer_id = "c", .currency_id = "t", .fallback = MeteredFallback{.has_access = true, .usage_limit = 9}});
  ASSERT_THAT(credit, IsOk());
  EXPECT_EQ(credit->access_denied_reason, std::nullopt);
  EXPECT_EQ(std::get<CreditEntitlement>(credit->entitlement).remaining, 9);
  const auto asynchronous = Await<EnumAnswer>([&](auto done) {
    client->GetEnumEntitlementAsync({.customer_id = "c", .feature_id = "e", .requested_values = {"w"}}, {}, done);
  });
  ASSERT_THAT(asynchronous, IsOk());
  EXPECT_EQ(asynchronous->requested_values, std::vector<std::string>{"w"});
}

TEST(SdkUnreachable, OneThatDoesNotAnswerCostsTheDeadline) {
  const TcpServer silent([](TcpServer::Socket socket) {
    char byte = 0;
    while (socket.read_some(boost::asio::buffer(&byte, 1)) > 0) continue;  // throws at the end
  });
  const auto client = ClientFor({.host = "127.0.0.1", .port = std::stoi(silent.port()), .timeout = Millis(200)});
  const auto start = std::chrono::steady_clock::now();
  const auto answer = client->GetBooleanEntitlement(
      {.customer_id = "c", .feature_id = "f", .fallback = BooleanFallback{.has_access = true}});
  const auto took = std::chrono::steady_clock::now() - start;
  ASSERT_THAT(answer, IsOk());
  EXPECT_EQ(answer->source, Source::kUnreachable);
  EXPECT_GE(took, Millis(190));
  EXPECT_LT(took, Millis(2'000)) << "slack of a slow machine";
  EXPECT_THAT(client->GetBooleanEntitlement({.customer_id = "c", .feature_id = "f"}, {.timeout = Millis(50)}),
              FailsWith(absl::StatusCode::kDeadlineExceeded, ""));
}

TEST(SdkUnreachable, ItIsFoundAgainWhenItIsBack) {
  auto server = std::make_unique<ScriptedSidecar>();
  const int port = server->port();
  const auto client = ClientFor({.host = "127.0.0.1", .port = port, .timeout = Millis(5'000)});
  const auto ask = [&] {
    return client
        ->GetBooleanEntitlement(
            {.customer_id = "c", .feature_id = "f", .fallback = BooleanFallback{.has_access = true}})
        ->source;
  };
  EXPECT_EQ(ask(), Source::kNotSaid);
  server.reset();
  EXPECT_EQ(ask(), Source::kUnreachable);
  server = std::make_unique<ScriptedSidecar>("127.0.0.1:" + std::to_string(port));
  const auto deadline = std::chrono::steady_clock::now() + Millis(10'000);
  while (ask() != Source::kNotSaid) ASSERT_LT(std::chrono::steady_clock::now(), deadline);
}

TEST(SdkTargets, UnixSocket) {
  const TemporaryDirectory directory;
  ScriptedSidecar server("unix:" + directory.File("socket"));
  server.Answer("has_access: true");
  const auto client = ClientFor({.port = 0, .socket_path = directory.File("socket")});
  const auto answer = client->GetBooleanEntitlement({.customer_id = "c", .feature_id = "f"});
  ASSERT_THAT(answer, IsOk());
  EXPECT_TRUE(answer->has_access);
}

TEST(SdkTargets, TlsOfBothSides) {
  const Certificate certificate("DNS:sidecar.test");
  grpc::SslServerCredentialsOptions options(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = Contents(certificate.certificate_file());
  options.pem_key_cert_pairs = {{Contents(certificate.key_file()), Contents(certificate.certificate_file())}};
  ScriptedSidecar server("127.0.0.1:0", grpc::SslServerCredentials(options));
  server.Answer("has_access: true");
  const BooleanCheck check{.customer_id = "c", .feature_id = "f"};
  const auto client = ClientFor({.host = "127.0.0.1",
                                 .port = server.port(),
                                 .tls = TlsOptions{.ca_file = certificate.certificate_file(),
                                                   .cert_file = certificate.certificate_file(),
                                                   .key_file = certificate.key_file(),
                                                   .server_name = "sidecar.test"},
                                 .timeout = Millis(10'000)});
  EXPECT_THAT(client->GetBooleanEntitlement(check), IsOk());
  const auto other = ClientFor({.host = "127.0.0.1",
                                .port = server.port(),
                                .tls = TlsOptions{.ca_file = certificate.certificate_file()},
                                .timeout = Millis(10'000)});
  EXPECT_THAT(other->GetBooleanEntitlement(check), FailsWith(absl::StatusCode::kUnavailable, ""))
      << "the certificate is for another name, and this client shows none";
}

TEST(SdkOptions, WhatCannotBeIsRefusedByName) {
  const std::pair<ClientOptions, const char*> mistakes[] = {
      {{.host = ""}, "host: must not be empty"},
      {{.port = 0}, "port: 0; expected 1 to 65535"},
      {{.timeout = Millis(0)}, "timeout: 0 ms; expected 1 to 86400000"},
      {{.keepalive = Millis(9'999)}, "keepalive: 9999 ms; expected 10000 to 86400000"},
      {{.socket_path = std::string(108, 'x')}, "socket_path: 108 bytes; expected at most 107"},
      {{.attempts = 6}, "attempts: 6; expected 1 to 5"},
      {{.tls = TlsOptions{.cert_file = "x"}}, "tls: cert_file and key_file go together; only cert_file is given"},
  };
  for (const auto& [options, text] : mistakes) {
    EXPECT_THAT(Client::Create(options), FailsWith(absl::StatusCode::kInvalidArgument, text));
  }
  EXPECT_THAT(Client::Create({.tls = TlsOptions{.ca_file = "/nonexistent"}}),
              FailsWith(absl::StatusCode::kNotFound, "tls.ca_file: cannot read /nonexistent"));
  const TemporaryDirectory directory;
  EXPECT_THAT(Client::Create({.tls = TlsOptions{.ca_file = directory.path()}}),
              FailsWith(absl::StatusCode::kInvalidArgument, "is not PEM"))
      << "nothing read would mean the system's authorities";
  const auto client = ClientFor({});
  EXPECT_THAT(client->GetEntitlements({.customer_id = "c"}, {.timeout = Millis(0)}),
              FailsWith(absl::StatusCode::kInvalidArgument, "timeout: 0 ms"));
  EXPECT_THAT(client->GetEntitlements({.customer_id = "c"}, {.max_staleness = Millis(-1)}),
              FailsWith(absl::StatusCode::kInvalidArgument, "max_staleness: -1 ms"));
}

TEST(SdkNames, OfReasons) {
  EXPECT_EQ(Name(AccessDeniedReason::kFeatureNotFound), "FEATURE_NOT_FOUND");
  EXPECT_EQ(Name(static_cast<AccessDeniedReason>(99)), "REASON_99");
}

}  // namespace
}  // namespace stigg::sidecar
