// Reads with a usage overlay behind them: which answers show what is acknowledged and not in the record yet.
#include <gtest/gtest.h>

#include "service/encode.h"
#include "service/services.h"
#include "stigg/sidecar/v1/sidecar.pb.h"
#include "support/builders.h"
#include "support/fake_call.h"
#include "support/fake_source.h"
#include "support/scripted_sink.h"
#include "support/sim_clock.h"

namespace sidecar {
namespace {

namespace v1 = stigg::sidecar::v1;
using testing::FakeCall;
using testing::Metered;

class OverlaidReadsTest : public ::testing::Test {
 protected:
  OverlaidReadsTest() { Make(&overlay_); }

  void Make(const UsageOverlay* overlay) {
    handlers_ = MakeHandlers({.cache = cache_,
                              .resolver = resolver_,
                              .cover = cover_,
                              .reporter = reporter_,
                              .fallbacks = fallbacks_,
                              .clock = time_,
                              .metrics = metrics_,
                              .settings = {},
                              .overlay = overlay});
  }

  template <typename Response, typename Request>
  Response Ask(Method method, const Request& request) {
    FakeCall call(request.SerializeAsString());
    handlers_[static_cast<size_t>(method)](call);
    if (call.ends == 0) source_.Answer(testing::Of({Metered("seats", 10, 3), testing::Boolean("flag")}));
    EXPECT_EQ(call.ends, 1);
    Response response;
    EXPECT_TRUE(response.ParseFromString(call.response));
    return response;
  }
  v1::GetMeteredEntitlementResponse Check(double requested) {
    v1::GetMeteredEntitlementRequest request;
    request.set_customer_id("a");
    request.set_feature_id("seats");
    request.mutable_options()->set_requested_usage(requested);
    return Ask<v1::GetMeteredEntitlementResponse>(Method::kGetMeteredEntitlement, request);
  }
  /// Upstream acknowledges without a total.
  void Use(double value) {
    const UsageReport report{.key = {"a", ""}, .feature_id = "seats", .value = value};
    const UsageReceipt receipt{.measurement_id = "m", .key = report.key, .feature_id = "seats"};
    overlay_.Acknowledge(report, receipt, overlay_.Sending(), [] {});
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
  testing::ScriptedSink sink_;
  UsageOverlay overlay_{cache_, time_, time_, metrics_};
  UsageReporter reporter_{sink_, door_, nullptr, nullptr, &overlay_};
  FallbackTable fallbacks_;
  Handlers handlers_;
};

TEST_F(OverlaidReadsTest, ACheckIsDecidedWithIt) {
  EXPECT_TRUE(Check(5).has_access());
  Use(4);
  const v1::GetMeteredEntitlementResponse checked = Check(4);
  EXPECT_FALSE(checked.has_access());
  EXPECT_EQ(checked.entitlement().current_usage(), 7);
  EXPECT_TRUE(Check(3).has_access());
}

TEST_F(OverlaidReadsTest, AMissIsToo) {
  Use(4);  // nothing is known of the customer
  time_.Advance(Millis(1));
  EXPECT_EQ(Check(0).entitlement().current_usage(), 3);  // the fetch is believed
  Use(4);
  EXPECT_EQ(Check(0).entitlement().current_usage(), 7);
}

TEST_F(OverlaidReadsTest, EveryReadThatShowsUsageShowsIt) {
  Check(0);
  Use(4);
  v1::GetEntitlementRequest generic;
  generic.set_customer_id("a");
  generic.set_feature_id("seats");
  EXPECT_EQ(Ask<v1::GetEntitlementResponse>(Method::kGetEntitlement, generic).metered().current_usage(), 7);
  v1::GetEntitlementV2Request v2;
  v2.set_customer_id("a");
  v2.set_feature_id("seats");
  EXPECT_EQ(Ask<v1::GetEntitlementV2Response>(Method::kGetEntitlementV2, v2).entitlement().metered().current_usage(),
            7);
  v1::GetEntitlementsRequest list;
  list.set_customer_id("a");
  const auto listed = Ask<v1::GetEntitlementsResponse>(Method::kGetEntitlements, list);
  ASSERT_EQ(listed.entitlements_size(), 2);
  EXPECT_EQ(listed.entitlements(0).metered().current_usage(), 7);
  v1::GetEntitlementsStateV2Request state;
  state.set_customer_id("a");
  const auto states = Ask<v1::GetEntitlementsStateV2Response>(Method::kGetEntitlementsStateV2, state);
  ASSERT_EQ(states.entitlements_size(), 2);
  EXPECT_EQ(states.entitlements(0).metered().current_usage(), 7);
}

TEST_F(OverlaidReadsTest, WithoutOneReadsShowTheRecord) {
  Make(nullptr);
  Check(0);
  Use(4);
  EXPECT_EQ(Check(0).entitlement().current_usage(), 3);
}

}  // namespace
}  // namespace sidecar
