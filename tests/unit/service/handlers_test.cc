// The handlers with everything behind them but the network: upstream's answers are given by
// hand, time stands still.
#include <gtest/gtest.h>

#include <memory>

#include "service/encode.h"
#include "service/services.h"
#include "stigg/sidecar/v1/sidecar.pb.h"
#include "support/builders.h"
#include "support/fake_call.h"
#include "support/fake_source.h"
#include "support/fake_store.h"
#include "support/sim_clock.h"
#include "support/status_matchers.h"

namespace sidecar {
namespace {

namespace v1 = stigg::sidecar::v1;
using absl::StatusCode;
using testing::Boolean;
using testing::Credit;
using testing::FailsWith;
using testing::FakeCall;
using testing::Metered;
using testing::Numeric;
using testing::Of;
using Source = AnswerOrigin::Source;

class NullSink : public UsageSink {
 public:
  void ReportUsage(std::vector<UsageReport> reports, MonoTime by, UsageDone done) override {
    deadline = by;
    usage = std::move(reports);
    if (failure.has_value()) return std::move(done)(*failure);
    std::vector<UsageReceipt> receipts;
    for (const UsageReport& report : usage) {
      receipts.push_back({.measurement_id = "m",
                          .key = report.key,
                          .feature_id = report.feature_id,
                          .current_usage = 4,
                          .period_end = WallTimeFromEpochMs(1'796'083'200'500)});
    }
    std::move(done)(std::move(receipts));
  }
  void ReportEvents(std::vector<UsageEvent> reported, MonoTime, EventsDone done) override {
    events = std::move(reported);
    if (failure.has_value()) return std::move(done)(*failure);
    std::move(done)(std::monostate{});
  }
  std::vector<UsageReport> usage;
  std::vector<UsageEvent> events;
  std::optional<UpstreamFailure> failure;
  MonoTime deadline;
};

class HandlersTest : public ::testing::Test {
 protected:
  HandlersTest() {
    store_.is_available = false;  // most do without
    fallbacks_.Add("configured", {.has_access = true, .usage_limit = 9});
    handlers_ = MakeHandlers({.cache = cache_,
                              .resolver = resolver_,
                              .cover = cover_,
                              .reporter = reporter_,
                              .fallbacks = fallbacks_,
                              .clock = time_,
                              .metrics = metrics_,
                              .settings = {}});
  }

  std::unique_ptr<FakeCall> Start(Method method, const google::protobuf::Message& request) {
    auto call = std::make_unique<FakeCall>(request.SerializeAsString());
    handlers_[static_cast<size_t>(method)](*call);
    return call;
  }

  template <typename Response>
  static Response Parse(const FakeCall& call) {
    EXPECT_EQ(call.ends, 1);
    EXPECT_TRUE(call.status.ok()) << call.status;
    Response response;
    EXPECT_TRUE(response.ParseFromString(call.response));
    return response;
  }

  std::unique_ptr<FakeCall> AskMetered(const std::string& feature = "calls", double requested = 0) {
    v1::GetMeteredEntitlementRequest request;
    request.set_customer_id("a");
    request.set_feature_id(feature);
    if (requested != 0) request.mutable_options()->set_requested_usage(requested);
    return Start(Method::kGetMeteredEntitlement, request);
  }

  v1::GetMeteredEntitlementResponse Metered1(const FakeCall& call) {
    return Parse<v1::GetMeteredEntitlementResponse>(call);
  }

  void Warm(const CustomerEntitlements& entitlements = Of({Metered("calls", 10, 3)})) {
    const auto call = AskMetered();
    source_.Answer(entitlements);
    ASSERT_EQ(call->ends, 1);
  }

  testing::SimTime time_;
  testing::FixedRandom random_;
  Metrics metrics_;
  Definitions definitions_{[](const FeatureDefinition& f) { return EncodeDefinition(f); },
                           [](const CurrencyDefinition& c) { return EncodeDefinition(c); }};
  EpochDomain epochs_;
  EntitlementCache cache_{{.limit_bytes = 8 << 20, .shards = 4}, epochs_, definitions_};
  LiveCover cover_;
  RecordDoor door_{cache_, time_, random_, cover_, {}};
  testing::FakeSource source_;
  testing::FakeSource reload_source_;
  testing::FakeStore store_;
  EntitlementResolver resolver_{cache_, door_, cover_, source_, reload_source_, time_, time_, metrics_, {}, &store_};
  NullSink sink_;
  UsageReporter reporter_{sink_, door_};
  FallbackTable fallbacks_;
  Handlers handlers_;
};

TEST_F(HandlersTest, AMissWaitsForUpstreamAndAHitDoesNot) {
  const auto miss = AskMetered();
  EXPECT_EQ(miss->ends, 0);
  source_.Answer(Of({Metered("calls", 10, 3)}));
  EXPECT_EQ(Metered1(*miss).entitlement().current_usage(), 3);
  EXPECT_EQ(miss->origin.source, Source::kUpstream);

  const auto hit = AskMetered("calls", 8);
  EXPECT_EQ(hit->ends, 1);
  EXPECT_FALSE(Metered1(*hit).has_access());
  EXPECT_EQ(Metered1(*hit).requested_usage(), 8);
  EXPECT_EQ(hit->origin.source, Source::kMemory);
  EXPECT_TRUE(hit->origin.routine);
  EXPECT_EQ(source_.fetches, 1U);
  EXPECT_EQ(metrics_.cache_hits.value(), 1U);
  EXPECT_EQ(metrics_.cache_misses.value(), 1U);
}

TEST_F(HandlersTest, AFailedMissAnswersTheConfiguredFallback) {
  const auto call = AskMetered("configured");
  source_.Fail();
  const auto response = Metered1(*call);
  EXPECT_TRUE(response.has_access());
  EXPECT_TRUE(response.is_fallback());
  EXPECT_EQ(response.entitlement().usage_limit(), 9);
  EXPECT_EQ(response.requested_usage(), 1);
  EXPECT_EQ(call->origin.source, Source::kFallback);
}

TEST_F(HandlersTest, ThePerCallFallbackWinsWhole) {
  v1::GetMeteredEntitlementRequest request;
  request.set_customer_id("a");
  request.set_feature_id("configured");
  request.mutable_options()->mutable_fallback()->set_has_access(false);
  const auto call = Start(Method::kGetMeteredEntitlement, request);
  source_.Fail();
  EXPECT_FALSE(Metered1(*call).has_access());
  EXPECT_FALSE(Metered1(*call).entitlement().has_usage_limit());
}

TEST_F(HandlersTest, TheAnswerLeavesTheCallerTimeToReceiveIt) {
  auto call = std::make_unique<FakeCall>([] {
    v1::GetMeteredEntitlementRequest request;
    request.set_customer_id("a");
    request.set_feature_id("calls");
    return request.SerializeAsString();
  }());
  call->call_deadline = time_.Now() + Millis(200);
  handlers_[static_cast<size_t>(Method::kGetMeteredEntitlement)](*call);
  time_.Advance(Millis(179));
  EXPECT_EQ(call->ends, 0);
  time_.Advance(Millis(1));
  EXPECT_TRUE(Metered1(*call).is_fallback());
  source_.Answer(Of({Metered("calls", 10, 3)}));
  EXPECT_EQ(call->ends, 1);
}

TEST_F(HandlersTest, CallsWithoutDeadlineAreBoundedByUs) {
  const auto call = AskMetered();
  time_.Advance(Millis(9'999));
  EXPECT_EQ(call->ends, 0);
  time_.Advance(Millis(1));
  EXPECT_TRUE(Metered1(*call).is_fallback());
}

TEST_F(HandlersTest, ASuspectRecordIsRefreshedWithinTheBudget) {
  Warm();
  time_.Advance(Millis(30'000));
  const auto refreshed = AskMetered();
  EXPECT_EQ(refreshed->ends, 0);
  source_.Answer(Of({Metered("calls", 10, 5)}));
  EXPECT_EQ(Metered1(*refreshed).entitlement().current_usage(), 5);
  EXPECT_EQ(refreshed->origin.source, Source::kUpstream);
}

TEST_F(HandlersTest, AStaleRecordAnswersWhenTheRefreshFailsAndIsThenLeftAlone) {
  Warm();
  time_.Advance(Millis(30'000));
  const auto first = AskMetered();
  source_.Fail();
  EXPECT_EQ(Metered1(*first).entitlement().current_usage(), 3);
  EXPECT_FALSE(Metered1(*first).is_fallback());
  EXPECT_EQ(first->origin.source, Source::kMemory);
  EXPECT_EQ(first->origin.age, Millis(30'000));
  EXPECT_FALSE(first->origin.routine);
  const auto second = AskMetered();
  EXPECT_EQ(second->ends, 1) << "no second wait while backed off";
  EXPECT_EQ(source_.fetches, 2U);
  EXPECT_EQ(metrics_.stale_answers.value(), 2U);
}

TEST_F(HandlersTest, ARestoredRecordSaysSoUntilItIsRefreshed) {
  const EntityKeyView key{"a", ""};
  const RecordStamp restored{
      .origin = RecordOrigin::kSnapshot, .fetched_at = time_.Now() - Millis(60'000), .suspect_at = time_.Now()};
  cache_.Update(
      key, [&](const Record*) { return Record::Build(key, Of({Metered("calls", 10, 3)}), restored, definitions_); });
  auto call = AskMetered();
  source_.Fail();
  EXPECT_EQ(Metered1(*call).entitlement().current_usage(), 3);
  EXPECT_EQ(call->origin.source, Source::kSnapshot);
  EXPECT_EQ(call->origin.age, Millis(60'000));
  EXPECT_FALSE(call->origin.routine);
  time_.Advance(Millis(2'000));
  call = AskMetered();
  source_.Answer(Of({Metered("calls", 10, 4)}));
  EXPECT_EQ(call->origin.source, Source::kUpstream);
  EXPECT_EQ(AskMetered()->origin.source, Source::kMemory);
}

TEST_F(HandlersTest, ASlowRefreshIsWaitedForOnce) {
  Warm();
  time_.Advance(Millis(30'000));
  const auto first = AskMetered();
  time_.Advance(Millis(250));
  EXPECT_EQ(Metered1(*first).entitlement().current_usage(), 3);
  const auto second = AskMetered();
  EXPECT_EQ(second->ends, 1);
  EXPECT_EQ(source_.fetches, 2U);
}

TEST_F(HandlersTest, WhatTheDataSaysIsOverWaitsLikeAMissAndFallsBack) {
  FeatureEntitlement trial = Metered("calls", 10, 3);
  trial.valid_until = time_.WallNow() + Millis(1'000);
  Warm(Of({trial, Metered("other", 1, 0)}));
  time_.Advance(Millis(1'000));
  const auto waiting = AskMetered();
  time_.Advance(Millis(5'000));
  EXPECT_EQ(waiting->ends, 0) << "longer than the read budget";
  source_.Fail();
  EXPECT_TRUE(Metered1(*waiting).is_fallback());
  const auto other = AskMetered("other");
  EXPECT_EQ(other->ends, 1) << "other features of the record are not over";
  EXPECT_FALSE(Metered1(*other).is_fallback());
}

TEST_F(HandlersTest, AnEndThatUpstreamKnewOfIsNotAskedAboutAgain) {
  FeatureEntitlement trial = Metered("calls", 10, 3);
  trial.valid_until = time_.WallNow() - Millis(1);
  Warm(Of({trial}));
  const auto call = AskMetered();
  EXPECT_FALSE(Metered1(*call).is_fallback());
}

TEST_F(HandlersTest, ClockJumpsDoNotAgeTheCache) {
  Warm();
  time_.JumpWall(Millis(3'600'000));
  EXPECT_EQ(AskMetered()->ends, 1);
  time_.JumpWall(Millis(-7'200'000));
  EXPECT_EQ(AskMetered()->ends, 1);
  EXPECT_EQ(source_.fetches, 1U);
}

TEST_F(HandlersTest, AnEmptyResourceMeansTheCustomer) {
  Warm();
  v1::GetMeteredEntitlementRequest request;
  request.set_customer_id("a");
  request.set_feature_id("calls");
  request.set_resource_id("");
  EXPECT_EQ(Start(Method::kGetMeteredEntitlement, request)->ends, 1);
}

TEST_F(HandlersTest, V2AsksForExactlyOne) {
  v1::GetEntitlementV2Request request;
  request.set_customer_id("a");
  EXPECT_THAT(Start(Method::kGetEntitlementV2, request)->status,
              FailsWith(StatusCode::kInvalidArgument, "neither is set"));
  request.set_feature_id("f");
  request.set_currency_id("c");
  EXPECT_THAT(Start(Method::kGetEntitlementV2, request)->status,
              FailsWith(StatusCode::kInvalidArgument, "both are set"));
  EXPECT_EQ(metrics_.rejected_requests.value(), 2U);
}

TEST_F(HandlersTest, V2AnswersCredits) {
  Warm(Of({}, {Credit("tokens", 500, 120)}));
  v1::GetEntitlementV2Request request;
  request.set_customer_id("a");
  request.set_currency_id("tokens");
  const auto response = Parse<v1::GetEntitlementV2Response>(*Start(Method::kGetEntitlementV2, request));
  EXPECT_TRUE(response.entitlement().has_access());
  EXPECT_EQ(response.entitlement().credit().remaining(), 380);
  request.set_currency_id("other");
  const auto missing = Parse<v1::GetEntitlementV2Response>(*Start(Method::kGetEntitlementV2, request));
  EXPECT_FALSE(missing.entitlement().is_fallback());
  EXPECT_EQ(missing.entitlement().access_denied_reason(), v1::ACCESS_DENIED_REASON_ENTITLEMENT_NOT_FOUND);
}

TEST_F(HandlersTest, PlainListLeavesOutDenialsAndCreditsAndKeepsWhatIsOverItsLimit) {
  FeatureEntitlement revoked = Boolean("revoked");
  revoked.denied_reason = DeniedReason::kRevoked;
  FeatureEntitlement paid = Metered("paid", 5, 0);
  paid.credit_rate = CreditRate{1, "tokens"};
  Warm(Of({Boolean("sso"), revoked, Metered("over", 5, 6), paid, {.feature = {.id = "odd"}}, Numeric("size", 7)},
          {Credit("tokens", 10, 10)}));
  v1::GetEntitlementsRequest request;
  request.set_customer_id("a");
  const auto list = Parse<v1::GetEntitlementsResponse>(*Start(Method::kGetEntitlements, request));
  ASSERT_EQ(list.entitlements_size(), 3);
  EXPECT_EQ(list.entitlements(0).boolean().feature().id(), "sso");
  EXPECT_EQ(list.entitlements(1).metered().feature().id(), "over");
  EXPECT_EQ(list.entitlements(2).numeric().value(), 7);
  EXPECT_FALSE(list.has_access_denied_reason());
}

TEST_F(HandlersTest, StateListHasEveryEntryWithItsVerdict) {
  FeatureEntitlement revoked = Boolean("revoked");
  revoked.denied_reason = DeniedReason::kRevoked;
  Warm(Of({Boolean("sso"), revoked, Metered("over", 5, 6)}, {Credit("tokens", 10, 10)}));
  v1::GetEntitlementsStateV2Request request;
  request.set_customer_id("a");
  const auto list = Parse<v1::GetEntitlementsStateV2Response>(*Start(Method::kGetEntitlementsStateV2, request));
  ASSERT_EQ(list.entitlements_size(), 4);
  EXPECT_TRUE(list.entitlements(0).has_access());
  EXPECT_EQ(list.entitlements(1).access_denied_reason(), v1::ACCESS_DENIED_REASON_REVOKED);
  EXPECT_EQ(list.entitlements(2).access_denied_reason(), v1::ACCESS_DENIED_REASON_REQUESTED_USAGE_EXCEEDING_LIMIT);
  EXPECT_EQ(list.entitlements(3).access_denied_reason(), v1::ACCESS_DENIED_REASON_INSUFFICIENT_CREDITS);
}

TEST_F(HandlersTest, AnEmptyListCarriesItsReason) {
  Warm({.denied_reason = DeniedReason::kNoActiveSubscription});
  v1::GetEntitlementsRequest request;
  request.set_customer_id("a");
  const auto list = Parse<v1::GetEntitlementsResponse>(*Start(Method::kGetEntitlements, request));
  EXPECT_EQ(list.entitlements_size(), 0);
  EXPECT_EQ(list.access_denied_reason(), v1::ACCESS_DENIED_REASON_NO_ACTIVE_SUBSCRIPTION);
}

TEST_F(HandlersTest, AFailedListAnswersTheConfiguredFallbacks) {
  v1::GetEntitlementsRequest request;
  request.set_customer_id("a");
  const auto call = Start(Method::kGetEntitlements, request);
  source_.Fail();
  const auto list = Parse<v1::GetEntitlementsResponse>(*call);
  ASSERT_EQ(list.entitlements_size(), 1);
  EXPECT_EQ(list.entitlements(0).metered().feature().id(), "configured");
  EXPECT_EQ(list.entitlements(0).metered().usage_limit(), 9);
}

TEST_F(HandlersTest, WhatIsOverIsLeftOutOfLists) {
  FeatureEntitlement trial = Boolean("trial");
  trial.valid_until = time_.WallNow() + Millis(1'000);
  Warm(Of({trial, Boolean("sso")}));
  time_.Advance(Millis(1'000));
  v1::GetEntitlementsRequest request;
  request.set_customer_id("a");
  const auto call = Start(Method::kGetEntitlements, request);
  EXPECT_EQ(call->ends, 0);
  source_.Fail();
  const auto list = Parse<v1::GetEntitlementsResponse>(*call);
  ASSERT_EQ(list.entitlements_size(), 1);
  EXPECT_EQ(list.entitlements(0).boolean().feature().id(), "sso");
}

TEST_F(HandlersTest, ReportedUsageIsAcknowledgedAndSeenAtOnce) {
  Warm();
  v1::ReportUsageRequest request;
  request.set_customer_id("a");
  request.set_feature_id("calls");
  request.set_value(1);
  (*request.mutable_dimensions())["region"].set_string_value("eu");
  (*request.mutable_dimensions())["n"].set_number_value(2);
  (*request.mutable_dimensions())["ok"].set_boolean_value(true);
  request.mutable_timestamp()->set_seconds(1'795'255'200);
  const auto response = Parse<v1::ReportUsageResponse>(*Start(Method::kReportUsage, request));
  EXPECT_EQ(response.measurement_id(), "m");
  EXPECT_EQ(response.customer_id(), "a");
  EXPECT_EQ(response.current_usage(), 4);
  EXPECT_FALSE(response.has_resource_id());
  EXPECT_EQ(response.usage_period_end().nanos(), 500'000'000);
  EXPECT_EQ(Metered1(*AskMetered()).entitlement().current_usage(), 4);
  ASSERT_EQ(sink_.usage.size(), 1U);
  EXPECT_EQ(sink_.usage[0].dimensions.size(), 3U);
  EXPECT_EQ(sink_.usage[0].created_at, WallTimeFromEpochMs(1'795'255'200'000));
  EXPECT_EQ(sink_.usage[0].idempotency_key.size(), 36U);
}

TEST_F(HandlersTest, FailedReportsKeepPrefixTextAndTraceId) {
  sink_.failure = UpstreamFailure{.status = absl::NotFoundError("Customer not found"), .trace_id = "abc"};
  v1::ReportUsageRequest request;
  request.set_customer_id("a");
  request.set_feature_id("calls");
  request.set_value(-1);
  request.set_update_behavior(v1::USAGE_UPDATE_BEHAVIOR_DELTA);
  EXPECT_THAT(Start(Method::kReportUsage, request)->status,
              FailsWith(StatusCode::kNotFound, "Failed to report usage: Customer not found (trace id abc)"));
  v1::ReportEventsRequest events;
  v1::Event* const event = events.add_events();
  event->set_event_name("e");
  event->set_customer_id("a");
  event->set_idempotency_key("k");
  EXPECT_THAT(Start(Method::kReportEvents, events)->status,
              FailsWith(StatusCode::kNotFound, "Failed to report events: Customer not found"));
}

TEST_F(HandlersTest, NoEventsAreReportedWithoutACall) {
  sink_.failure = UpstreamFailure{.status = absl::UnavailableError("down")};
  EXPECT_TRUE(Start(Method::kReportEvents, v1::ReportEventsRequest())->status.ok());
}

TEST_F(HandlersTest, ReloadSaysWhetherThereIsSomebodyAndNeverFails) {
  v1::ReloadEntitlementsRequest request;
  request.set_customer_id("a");
  auto call = Start(Method::kReloadEntitlements, request);
  reload_source_.Answer(Of({Boolean("sso")}));
  EXPECT_TRUE(Parse<v1::ReloadEntitlementsResponse>(*call).entitled_entity_exists());
  call = Start(Method::kReloadEntitlements, request);
  reload_source_.Answer({});
  EXPECT_FALSE(Parse<v1::ReloadEntitlementsResponse>(*call).entitled_entity_exists());
  call = Start(Method::kReloadEntitlements, request);
  reload_source_.Fail();
  EXPECT_FALSE(Parse<v1::ReloadEntitlementsResponse>(*call).entitled_entity_exists());
}

struct BadWrite {
  std::string name;
  std::function<void(v1::ReportUsageRequest&)> spoil;
  const char* message;
};

TEST_F(HandlersTest, BadReportsNameTheFieldAndAreNotSent) {
  const BadWrite rows[] = {
      {"NoCustomer", [](auto& r) { r.clear_customer_id(); }, "usages[0].customer_id: must not be empty"},
      {"NoFeature", [](auto& r) { r.clear_feature_id(); }, "usages[0].feature_id: must not be empty"},
      {"NegativeSet",
       [](auto& r) {
         r.set_value(-1);
         r.set_update_behavior(v1::USAGE_UPDATE_BEHAVIOR_SET);
       },
       "usages[0].value: is -1; expected 0 or more"},
      {"NotANumber", [](auto& r) { r.set_value(std::nan("")); }, "usages[0].value: is not a number"},
      {"UnknownBehaviour", [](auto& r) { r.set_update_behavior(static_cast<v1::UsageUpdateBehavior>(9)); },
       "usages[0].update_behavior: is 9"},
      {"EmptyDimension", [](auto& r) { (*r.mutable_dimensions())["d"]; }, "usages[0].dimensions[d]: has no value"},
      {"InfiniteDimension", [](auto& r) { (*r.mutable_dimensions())["d"].set_number_value(HUGE_VAL); },
       "usages[0].dimensions[d]: is infinite"},
      {"NamelessDimension", [](auto& r) { (*r.mutable_dimensions())[""].set_boolean_value(true); },
       "usages[0].dimensions key: must not be empty"},
      {"ManyDimensions",
       [](auto& r) {
         for (int i = 0; i < 101; ++i) (*r.mutable_dimensions())[std::to_string(i)].set_boolean_value(true);
       },
       "usages[0].dimensions: 101 given; at most 100"},
      {"BadTimestamp", [](auto& r) { r.mutable_timestamp()->set_nanos(-1); }, "usages[0].timestamp: is out of range"},
  };
  for (const BadWrite& row : rows) {
    v1::ReportUsageBulkRequest request;
    v1::ReportUsageRequest& usage = *request.add_usages();
    usage.set_customer_id("a");
    usage.set_feature_id("f");
    usage.set_value(1);
    row.spoil(usage);
    EXPECT_THAT(Start(Method::kReportUsageBulk, request)->status, FailsWith(StatusCode::kInvalidArgument, row.message))
        << row.name;
  }
  EXPECT_TRUE(sink_.usage.empty());
}

TEST_F(HandlersTest, AnEventWithoutKeyIsNamedByItsPlace) {
  v1::ReportEventsRequest request;
  for (int i = 0; i < 2; ++i) {
    v1::Event* const event = request.add_events();
    event->set_event_name("e");
    event->set_customer_id("a");
    if (i == 0) event->set_idempotency_key("k");
  }
  EXPECT_THAT(Start(Method::kReportEvents, request)->status,
              FailsWith(StatusCode::kInvalidArgument, "events[1].idempotency_key: must not be empty"));
  EXPECT_TRUE(sink_.events.empty());
}

TEST_F(HandlersTest, ThrottledReportsSayWhenToComeBack) {
  sink_.failure = UpstreamFailure{.status = absl::ResourceExhaustedError("slow down"), .retry_after = Millis(2'500)};
  v1::ReportUsageRequest request;
  request.set_customer_id("a");
  request.set_feature_id("f");
  const auto call = Start(Method::kReportUsage, request);
  EXPECT_EQ(call->status.code(), StatusCode::kResourceExhausted);
  // google.rpc.Status{1: 8, 2: message, 3: Any{1: url, 2: RetryInfo{1: Duration{1: 2, 2: 5e8}}}}
  EXPECT_NE(call->details.find("type.googleapis.com/google.rpc.RetryInfo"), std::string::npos);
  EXPECT_NE(call->details.find(std::string("\x0a\x08\x08\x02\x10\x80\xca\xb5\xee\x01", 10)), std::string::npos);
}

TEST_F(HandlersTest, EveryMethodRejectsWhatDoesNotParse) {
  for (size_t method = 0; method < kMethodCount; ++method) {
    FakeCall call("\xff\xff\xff");
    handlers_[method](call);
    EXPECT_EQ(call.ends, 1);
    EXPECT_THAT(call.status, FailsWith(StatusCode::kInvalidArgument, "request: 3 bytes")) << method;
  }
}

TEST_F(HandlersTest, TooManyReportsInOneCallAreRefused) {
  v1::ReportUsageBulkRequest usages;
  for (int i = 0; i < 5'001; ++i) usages.add_usages();
  const auto bulk = Start(Method::kReportUsageBulk, usages);
  EXPECT_EQ(bulk->status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(bulk->status.ToString().find("usages: 5001 given; at most 5000"), std::string::npos) << bulk->status;
  v1::ReportEventsRequest events;
  for (int i = 0; i < 5'001; ++i) events.add_events();
  EXPECT_EQ(Start(Method::kReportEvents, events)->status.code(), absl::StatusCode::kInvalidArgument);
}

class StalenessTest : public HandlersTest {
 protected:
  std::unique_ptr<FakeCall> Ask(const std::string& staleness_max) {
    v1::GetMeteredEntitlementRequest request;
    request.set_customer_id("a");
    request.set_feature_id("calls");
    auto call = std::make_unique<FakeCall>(request.SerializeAsString());
    call->metadata["x-max-staleness-ms"] = staleness_max;
    handlers_[static_cast<size_t>(Method::kGetMeteredEntitlement)](*call);
    return call;
  }
};

TEST_F(StalenessTest, ARecordThatIsYoungEnoughIsAnAnswer) {
  Warm();
  time_.Advance(Millis(500));
  EXPECT_FALSE(Metered1(*Ask("500")).is_fallback());
  EXPECT_EQ(source_.fetches, 1U);
}

TEST_F(StalenessTest, AnOlderOneIsRefreshedWithinTheCallersDeadline) {
  Warm();
  time_.Advance(Millis(501));
  const auto call = Ask("500");
  time_.Advance(Millis(1'000));
  EXPECT_EQ(call->ends, 0) << "longer than the budget of a refresh";
  source_.Answer(Of({Metered("calls", 10, 4)}));
  EXPECT_EQ(Metered1(*call).entitlement().current_usage(), 4);
}

TEST_F(StalenessTest, WhenItCannotBeRefreshedTheAnswerIsTheFallback) {
  Warm();
  time_.Advance(Millis(501));
  const auto call = Ask("500");
  source_.Fail();
  EXPECT_TRUE(Metered1(*call).is_fallback());
  EXPECT_EQ(call->origin.source, AnswerOrigin::Source::kFallback);
  EXPECT_FALSE(Metered1(*AskMetered()).is_fallback()) << "others still get the data";
  EXPECT_TRUE(Metered1(*Ask("500")).is_fallback()) << "at once while the record is backed off";
  EXPECT_EQ(source_.fetches, 2U);
}

TEST_F(StalenessTest, UnderALiveFeedNothingIsStale) {
  cover_.OnLive(time_.Now());
  time_.Advance(Millis(1));
  Warm();
  time_.Advance(Millis(3'600'000));
  EXPECT_FALSE(Metered1(*Ask("0")).is_fallback());
  EXPECT_EQ(source_.fetches, 1U);
}

TEST_F(StalenessTest, ASharedRecordThatIsTooOldIsNoAnswer) {
  store_.is_available = true;
  const auto patient = Ask("10000");
  const auto picky = Ask("9999");
  store_.Have(3, Millis(10'000));
  EXPECT_EQ(Metered1(*patient).entitlement().current_usage(), 3);
  EXPECT_EQ(patient->origin.source, Source::kRedis);
  EXPECT_EQ(patient->origin.age, Millis(10'000)) << "not of the reading";
  EXPECT_EQ(picky->ends, 0);
  source_.Fail();
  EXPECT_TRUE(Metered1(*picky).is_fallback());
  EXPECT_EQ(metrics_.decision_age.sum_secs(), 10);
}

TEST_F(StalenessTest, ASharedRecordThatIsKeptCurrentIsNotStale) {
  cover_.OnLive(time_.Now());
  time_.Advance(Millis(1));
  store_.is_available = true;
  const auto call = Ask("0");
  store_.Have(3);
  EXPECT_EQ(call->origin.source, Source::kRedis);
  EXPECT_EQ(call->origin.age, Millis(0));
}

TEST_F(StalenessTest, NonsenseIsRefusedByName) {
  for (const char* text : {"x", "-1", "1.5", "99999999999999999999"}) {
    const auto call = Ask(text);
    EXPECT_EQ(call->status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_NE(call->status.ToString().find("x-max-staleness-ms"), std::string::npos);
  }
}

TEST_F(HandlersTest, AgesOfAnswersAreCounted) {
  Warm();
  AskMetered();
  time_.Advance(Millis(4'000));
  AskMetered();
  EXPECT_EQ(metrics_.decision_age.bucket(0), 2U);
  EXPECT_EQ(metrics_.decision_age.bucket(2), 1U) << "1 to 5 s";
  EXPECT_EQ(metrics_.decision_age.sum_secs(), 4);
}

}  // namespace
}  // namespace sidecar
