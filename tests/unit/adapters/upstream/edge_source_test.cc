#include "adapters/upstream/edge_source.h"

#include <gtest/gtest.h>

#include <optional>

#include "support/fake_transport.h"
#include "support/fixtures.h"
#include "support/sim_clock.h"

namespace sidecar {
namespace {

using testing::Fixture;

class EdgeTest : public ::testing::Test {
 protected:
  explicit EdgeTest(GenerationSetting setting = GenerationSetting::kAuto)
      : source_(http_, "http://edge", setting, {time_, time_, random_}, RetryPolicy{}, metrics_) {}

  std::optional<UpstreamResult<CustomerEntitlements>> Fetch(const std::string& customer = "cust",
                                                            Millis within = Millis(10'000)) {
    result_.reset();
    source_.Fetch(EntityKey(customer, ""), time_.Now() + within,
                  [this](UpstreamResult<CustomerEntitlements> result) { result_ = std::move(result); });
    return result_;
  }

  std::string Path(size_t request) const {
    return transport_.requests.at(request).url.substr(std::string("http://edge").size());
  }

  testing::SimTime time_;
  testing::FixedRandom random_;
  testing::FakeTransport transport_;
  Metrics metrics_;
  UpstreamHttp http_{transport_, ProcessIdentity{.instance_id = "id", .version = "1.2.3"}, [] { return "key"; }, time_,
                     metrics_};
  EdgeSource source_;
  std::optional<UpstreamResult<CustomerEntitlements>> result_;
};

TEST_F(EdgeTest, AsksForTheStateFirst) {
  transport_.WillAnswer(200, Fixture("edge-entitlements-state.json"));
  ASSERT_TRUE(Fetch()->ok());
  EXPECT_EQ(Path(0), "/v1/c/cust/entitlements-state.json");
  EXPECT_EQ(transport_.requests.size(), 1U);
}

TEST_F(EdgeTest, SendsTheHeadersOfTheProtocol) {
  transport_.WillAnswer(200, Fixture("edge-entitlements-state.json"));
  Fetch();
  HttpResponse as_headers{.headers = transport_.requests[0].headers};
  EXPECT_EQ(*as_headers.Header("X-API-KEY"), "key");
  EXPECT_EQ(*as_headers.Header("X-API-VERSION"), "1");
  EXPECT_EQ(*as_headers.Header("source"), "NODE_SERVER_SDK");
  EXPECT_EQ(*as_headers.Header("X-SDK-INSTANCE-ID"), "id");
  EXPECT_EQ(*as_headers.Header("User-Agent"), "stigg-sidecar/1.2.3");
  for (const char* name : {"X-SDK-OS-PROCESS-HOSTNAME", "X-SDK-OS-PROCESS-ID", "X-SDK-OS-PROCESS-TIMESTAMP",
                           "X-SDK-OS-PROCESS-FINGERPRINT"}) {
    EXPECT_NE(as_headers.Header(name), nullptr) << name;
  }
}

TEST_F(EdgeTest, RetriesWhatMayPass) {
  transport_.WillAnswer(503, "");
  transport_.WillFail(absl::UnavailableError("reset"));
  transport_.WillAnswer(200, Fixture("edge-entitlements-state.json"));
  EXPECT_FALSE(Fetch().has_value());
  time_.Advance(Millis(200));
  EXPECT_FALSE(result_.has_value());
  time_.Advance(Millis(400));
  ASSERT_TRUE(result_.has_value());
  EXPECT_TRUE(result_->ok());
  EXPECT_EQ(transport_.requests.size(), 3U);
  EXPECT_EQ(metrics_.network_request_errors.value(), 2U);
}

TEST_F(EdgeTest, GivesUpAfterThreeAttempts) {
  for (int i = 0; i < 5; ++i) transport_.WillAnswer(500, "");
  Fetch();
  time_.Advance(Millis(10'000));
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(result_->failure().status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(transport_.requests.size(), 3U);
}

TEST_F(EdgeTest, DoesNotRetryWhatIsFinal) {
  for (const int status : {400, 401, 403}) {
    transport_.requests.clear();
    transport_.WillAnswer(status, "");
    ASSERT_TRUE(Fetch().has_value()) << status;
    EXPECT_EQ(transport_.requests.size(), 1U) << status;
  }
  transport_.requests.clear();
  transport_.WillFail(absl::DeadlineExceededError("slow"));
  ASSERT_TRUE(Fetch().has_value());
  EXPECT_EQ(transport_.requests.size(), 1U);
}

TEST_F(EdgeTest, ARejectedKeyIsCountedInsteadOfAFailedRequest) {
  transport_.WillAnswer(401, "");
  Fetch();
  EXPECT_EQ(metrics_.invalid_api_key_errors.value(), 1U);
  EXPECT_EQ(metrics_.network_request_errors.value(), 0U);
}

TEST_F(EdgeTest, DoesNotRetryBeyondTheDeadline) {
  transport_.WillAnswer(503, "");
  Fetch("cust", Millis(50));
  EXPECT_TRUE(result_.has_value());
}

TEST_F(EdgeTest, HonoursRetryAfterWhenItFits) {
  transport_.WillAnswer(429, "", {{"Retry-After", "3"}});
  transport_.WillAnswer(200, Fixture("edge-entitlements-state.json"));
  Fetch();
  time_.Advance(Millis(2'999));
  EXPECT_FALSE(result_.has_value());
  time_.Advance(Millis(1));
  EXPECT_TRUE(result_->ok());
}

TEST_F(EdgeTest, ARetryAfterBeyondTheDeadlineEndsTheFetch) {
  transport_.WillAnswer(429, "", {{"Retry-After", "30"}});
  EXPECT_TRUE(Fetch().has_value());
}

TEST_F(EdgeTest, UnusableBodiesFailAndAreCounted) {
  const std::string bodies[] = {"",
                                "not json",
                                R"({"data":null})",
                                R"({"data":{"entitlementsState":{"entitlementsV2":[{"feature":5}]}}})",
                                R"({"data":{"entitlementsState":{"entitlementsV2":[{"usageLimit":1e400}]}}})",
                                "[1,2]"};
  for (const std::string& body : bodies) {
    transport_.WillAnswer(200, body);
    ASSERT_TRUE(Fetch().has_value()) << body;
    EXPECT_FALSE(result_->ok()) << body;
  }
  EXPECT_EQ(metrics_.malformed_responses.value(), std::size(bodies));
}

TEST_F(EdgeTest, UnaskedCompressionIsUnusable) {
  transport_.WillAnswer(200, "x", {{"Content-Encoding", "gzip"}});
  EXPECT_FALSE(Fetch()->ok());
}

TEST_F(EdgeTest, AnUnknownPathWithANonEmptyV1ListSwitchesToV1) {
  transport_.WillAnswer(404, "");
  transport_.WillAnswer(200, Fixture("edge-entitlements.json"));
  ASSERT_TRUE(Fetch()->ok());
  EXPECT_EQ(Path(1), "/v1/c/cust/entitlements.json");
  transport_.WillAnswer(200, Fixture("edge-entitlements.json"));
  ASSERT_TRUE(Fetch()->ok());
  EXPECT_EQ(Path(2), "/v1/c/cust/entitlements.json");
}

TEST_F(EdgeTest, AnEmptyV1ListProvesNothing) {
  transport_.WillAnswer(404, "");
  transport_.WillAnswer(200, Fixture("edge-entitlements-empty.json"));
  EXPECT_EQ(Fetch()->value().denied_reason, DeniedReason::kCustomerNotFound);
  transport_.WillAnswer(200, Fixture("edge-entitlements-state.json"));
  Fetch();
  EXPECT_EQ(Path(2), "/v1/c/cust/entitlements-state.json");
}

TEST_F(EdgeTest, AsksForTheStateAgainAfterAnHour) {
  transport_.WillAnswer(404, "");
  transport_.WillAnswer(200, Fixture("edge-entitlements.json"));
  Fetch();
  time_.Advance(Millis(3'600'000));
  transport_.WillAnswer(200, Fixture("edge-entitlements-state.json"));
  Fetch();
  EXPECT_EQ(Path(2), "/v1/c/cust/entitlements-state.json");
}

TEST_F(EdgeTest, AV1ThatDisappearsIsLeftForV2) {
  transport_.WillAnswer(404, "");
  transport_.WillAnswer(200, Fixture("edge-entitlements.json"));
  Fetch();
  transport_.WillAnswer(404, "");
  transport_.WillAnswer(200, Fixture("edge-entitlements-state.json"));
  ASSERT_TRUE(Fetch()->ok());
  transport_.WillAnswer(200, Fixture("edge-entitlements-state.json"));
  Fetch();
  EXPECT_EQ(Path(4), "/v1/c/cust/entitlements-state.json");
}

TEST_F(EdgeTest, ANotFoundErrorOfTheCloudIsNotAnUnknownPath) {
  transport_.WillAnswer(404, Fixture("graphql-error-customer-not-found.json"));
  EXPECT_EQ(Fetch()->failure().upstream_code, "CustomerNotFound");
  EXPECT_EQ(transport_.requests.size(), 1U);
}

TEST_F(EdgeTest, ANotFoundErrorWithoutASubjectIsAnUnknownPath) {
  transport_.WillAnswer(404, R"({"errors":[{"message":"No such path","extensions":{"code":"NotFound"}}]})");
  transport_.WillAnswer(200, Fixture("edge-entitlements.json"));
  EXPECT_TRUE(Fetch()->ok());
}

class EdgeV1Test : public EdgeTest {
 protected:
  EdgeV1Test() : EdgeTest(GenerationSetting::kV1) {}
};

TEST_F(EdgeV1Test, OnlyAsksV1) {
  transport_.WillAnswer(404, "");
  EXPECT_FALSE(Fetch()->ok());
  EXPECT_EQ(Path(0), "/v1/c/cust/entitlements.json");
  EXPECT_EQ(transport_.requests.size(), 1U);
}

class EdgeV2Test : public EdgeTest {
 protected:
  EdgeV2Test() : EdgeTest(GenerationSetting::kV2) {}
};

TEST_F(EdgeV2Test, OnlyAsksV2) {
  transport_.WillAnswer(404, "");
  EXPECT_FALSE(Fetch()->ok());
  EXPECT_EQ(transport_.requests.size(), 1U);
}

TEST(EntitlementsPathTest, EncodesIdentifiers) {
  const auto path = [](std::string_view customer, std::string_view resource) {
    return EntitlementsPath(Generation::kV1, {customer, resource});
  };
  EXPECT_EQ(path("cust-1_a.b~c", ""), "/v1/c/cust-1_a.b~c/entitlements.json");
  EXPECT_EQ(path("user@x.com:7", ""), "/v1/c/user@x.com:7/entitlements.json");
  EXPECT_EQ(path("a b/c?d#e%f", ""), "/v1/c/a%20b%2Fc%3Fd%23e%25f/entitlements.json");
  EXPECT_EQ(path("\xC3\xBC", ""), "/v1/c/%C3%BC/entitlements.json");
  EXPECT_EQ(path(".", ""), "/v1/c/%2E/entitlements.json");
  EXPECT_EQ(path("..", ""), "/v1/c/%2E%2E/entitlements.json");
  EXPECT_EQ(path("c", "r&x y+z=1"), "/v1/c/c/entitlements.json?resourceId=r%26x%20y%2Bz%3D1");
}

}  // namespace
}  // namespace sidecar
