// Report handlers with a spool behind them: who accepts a durable answer, and how it looks.
#include <gtest/gtest.h>

#include "service/encode.h"
#include "service/services.h"
#include "stigg/sidecar/v1/sidecar.pb.h"
#include "support/fake_call.h"
#include "support/fake_source.h"
#include "support/fake_spool_store.h"
#include "support/scripted_sink.h"
#include "support/sim_clock.h"
#include "support/status_matchers.h"

namespace sidecar {
namespace {

namespace v1 = stigg::sidecar::v1;
using testing::FakeCall;

class DurableReportsTest : public ::testing::Test {
 protected:
  DurableReportsTest() {
    EXPECT_TRUE(spool_.Start().ok());
    Make({});
  }

  void Make(ServiceSettings settings) {
    handlers_ = MakeHandlers({.cache = cache_,
                              .resolver = resolver_,
                              .cover = cover_,
                              .reporter = reporter_,
                              .fallbacks = fallbacks_,
                              .clock = time_,
                              .metrics = metrics_,
                              .settings = settings});
  }

  std::unique_ptr<FakeCall> Start(Method method, const google::protobuf::Message& request,
                                  const std::string& accept_durable) {
    auto call = std::make_unique<FakeCall>(request.SerializeAsString());
    if (!accept_durable.empty()) call->metadata["x-accept-durable"] = accept_durable;
    handlers_[static_cast<size_t>(method)](*call);
    return call;
  }

  std::unique_ptr<FakeCall> ReportUsage(const std::string& accept_durable) {
    v1::ReportUsageRequest request;
    request.set_customer_id("a");
    request.set_feature_id("seats");
    request.set_value(1);
    return Start(Method::kReportUsage, request, accept_durable);
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
  EntitlementResolver resolver_{cache_, door_, cover_, source_, source_, time_, time_, metrics_, {}};
  testing::FakeSpoolStore store_;
  testing::ScriptedSink sink_;
  Spool spool_{{store_, sink_, time_, time_, random_, metrics_}, [](const UsageReceipt&) {}, {}};
  UsageReporter reporter_{sink_, door_, &spool_};
  FallbackTable fallbacks_;
  Handlers handlers_;
};

TEST_F(DurableReportsTest, ACallerThatAcceptsItGetsTheKeyAsMeasurementId) {
  const auto call = ReportUsage("1");
  const std::string key = sink_.calls.at(0).at(0);
  sink_.Fail(absl::StatusCode::kUnavailable);
  ASSERT_EQ(call->ends, 1);
  EXPECT_THAT(call->status, testing::IsOk());
  EXPECT_TRUE(call->origin.durable);
  v1::ReportUsageResponse response;
  ASSERT_TRUE(response.ParseFromString(call->response));
  EXPECT_EQ(response.measurement_id(), key);
  EXPECT_EQ(response.customer_id(), "a");
  EXPECT_EQ(response.feature_id(), "seats");
  EXPECT_FALSE(response.has_current_usage());
}

TEST_F(DurableReportsTest, OthersGetTheErrorOfUpstream) {
  for (const char* const metadata : {"", "0", "true"}) {
    const auto call = ReportUsage(metadata);
    sink_.Fail(absl::StatusCode::kUnavailable);
    EXPECT_THAT(call->status, testing::FailsWith(absl::StatusCode::kUnavailable, "Failed to report usage: "));
  }
}

TEST_F(DurableReportsTest, TheSettingAcceptsForAll) {
  Make({.spool_usage = true});
  const auto call = ReportUsage("");
  sink_.Fail(absl::StatusCode::kUnavailable);
  EXPECT_TRUE(call->origin.durable);
}

TEST_F(DurableReportsTest, WhatUpstreamAcknowledgedIsNotCalledDurable) {
  const auto call = ReportUsage("1");
  sink_.Acknowledge();
  EXPECT_FALSE(call->origin.durable);
}

TEST_F(DurableReportsTest, BulkAnswersEveryReport) {
  v1::ReportUsageBulkRequest request;
  for (int i = 0; i < 2; ++i) {
    auto* const usage = request.add_usages();
    usage->set_customer_id("a");
    usage->set_feature_id("seats");
    usage->set_value(i);
  }
  const auto call = Start(Method::kReportUsageBulk, request, "1");
  const std::vector<std::string> keys = sink_.calls.at(0);
  sink_.Fail(absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(call->origin.durable);
  v1::ReportUsageBulkResponse response;
  ASSERT_TRUE(response.ParseFromString(call->response));
  ASSERT_EQ(response.usages_size(), 2);
  EXPECT_EQ(response.usages(1).measurement_id(), keys[1]);
}

TEST_F(DurableReportsTest, EventsAreAlwaysDurable) {
  v1::ReportEventsRequest request;
  auto* const event = request.add_events();
  event->set_event_name("login");
  event->set_customer_id("a");
  event->set_idempotency_key("k");
  const auto call = Start(Method::kReportEvents, request, "");
  EXPECT_EQ(call->ends, 1);
  EXPECT_TRUE(call->origin.durable);
  EXPECT_EQ(store_.held.size(), 1U);
}

}  // namespace
}  // namespace sidecar
