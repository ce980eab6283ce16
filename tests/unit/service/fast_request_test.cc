#include "service/fast_request.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "service/validate.h"
#include "stigg/sidecar/v1/sidecar.pb.h"

namespace sidecar {
namespace {

namespace v1 = stigg::sidecar::v1;

constexpr CheckRequestShape kGeneric{.requested_usage = 2, .requested_values = 3};
constexpr CheckRequestShape kMetered{.requested_usage = 1};
constexpr CheckRequestShape kV2{
    .resource_id = 2, .feature_id = 3, .currency_id = 4, .options = 5, .requested_usage = 2, .requested_values = 3};

bool IsFast(std::string_view bytes, const CheckRequestShape& shape = kGeneric) {
  FastRequest out;
  return ReadFastRequest(bytes, shape, out);
}

v1::GetEntitlementRequest Common() {
  v1::GetEntitlementRequest request;
  request.set_customer_id("customer-1");
  request.set_feature_id("feature-1");
  return request;
}

TEST(FastRequestTest, ReadsTheCommonRequest) {
  v1::GetEntitlementRequest request = Common();
  request.set_resource_id("site-1");
  request.mutable_options()->set_requested_usage(2.5);
  request.mutable_options()->add_requested_values("eu");
  request.mutable_options()->add_requested_values("us");
  const std::string bytes = request.SerializeAsString();
  FastRequest out;
  ASSERT_TRUE(ReadFastRequest(bytes, kGeneric, out));
  EXPECT_EQ(out.customer_id, "customer-1");
  EXPECT_EQ(out.feature_id, "feature-1");
  EXPECT_EQ(out.resource_id, "site-1");
  EXPECT_TRUE(out.requested_usage_given);
  EXPECT_EQ(out.requested_usage, 2.5);
  EXPECT_EQ(out.requested_values.size(), 2U);
  EXPECT_EQ(out.requested_values[1], "us");
}

TEST(FastRequestTest, ReadsV2) {
  v1::GetEntitlementV2Request request;
  request.set_customer_id("c");
  request.set_resource_id("r");
  request.set_currency_id("tokens");
  const std::string bytes = request.SerializeAsString();
  FastRequest out;
  ASSERT_TRUE(ReadFastRequest(bytes, kV2, out));
  EXPECT_EQ(out.currency_id, "tokens");
  EXPECT_EQ(out.resource_id, "r");
  request.set_feature_id("f");
  EXPECT_FALSE(IsFast(request.SerializeAsString(), kV2)) << "both are set";
}

TEST(FastRequestTest, LongIdsTakeTwoBytesOfLength) {
  v1::GetEntitlementRequest request = Common();
  request.set_customer_id(std::string(1024, 'x'));
  EXPECT_TRUE(IsFast(request.SerializeAsString()));
  request.set_customer_id(std::string(1025, 'x'));
  EXPECT_FALSE(IsFast(request.SerializeAsString()));
}

TEST(FastRequestTest, LeavesTheUncommonToProtobuf) {
  v1::GetEntitlementRequest request = Common();
  request.mutable_options()->mutable_fallback()->set_has_access(true);
  EXPECT_FALSE(IsFast(request.SerializeAsString())) << "a per-call fallback";
  for (const char* odd : {"", "\x01", "\x1f", "\x7f", "\xC3\xBC", "\x80", "tab\there", "seven\x07!", "eight\x08!!!"}) {
    request = Common();
    request.set_customer_id(odd);
    EXPECT_FALSE(IsFast(request.SerializeAsString())) << odd;
  }
  for (const double usage : {-1.0, std::nan(""), HUGE_VAL}) {
    request = Common();
    request.mutable_options()->set_requested_usage(usage);
    EXPECT_FALSE(IsFast(request.SerializeAsString())) << usage;
  }
  const std::string common = Common().SerializeAsString();
  EXPECT_FALSE(IsFast(common + common)) << "fields twice";
  EXPECT_FALSE(IsFast(common + "\xa2\x06\x01x")) << "an unknown field";
  EXPECT_FALSE(IsFast(common + "\x08\x01")) << "a field of another wire type";
}

TEST(FastRequestTest, PrintableAsciiEndsAtTilde) {
  for (int c = 0; c < 256; ++c) {
    for (const size_t size : {1, 7, 8, 9, 16, 17}) {
      std::string text(size, 'a');
      text[size / 2] = static_cast<char>(c);
      EXPECT_EQ(IsPrintableAscii(text), c >= 0x20 && c <= 0x7E) << c << " in " << size;
    }
  }
  EXPECT_TRUE(IsPrintableAscii(""));
}

/// Whatever the bytes: what is read fast is what protobuf reads.
TEST(FastRequestTest, AgreesWithProtobufOnMutatedRequests) {
  constexpr uint32_t kSeed = 99;
  std::mt19937 random(kSeed);
  v1::GetMeteredEntitlementRequest base;
  base.set_customer_id("customer-1");
  base.set_feature_id("feature-1");
  base.set_resource_id("site-1");
  base.mutable_options()->set_requested_usage(3);
  const std::string bytes = base.SerializeAsString();
  int fast = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::string mutated = bytes;
    for (uint32_t n = random() % 3; n > 0; --n) mutated[random() % mutated.size()] = static_cast<char>(random());
    if (random() % 8 == 0) mutated.resize(random() % mutated.size());
    if (random() % 8 == 0) mutated += bytes.substr(random() % bytes.size());
    FastRequest out;
    if (!ReadFastRequest(mutated, kMetered, out)) continue;
    ++fast;
    v1::GetMeteredEntitlementRequest parsed;
    ASSERT_TRUE(parsed.ParseFromString(mutated)) << "seed " << kSeed << " case " << i;
    ASSERT_EQ(parsed.customer_id(), out.customer_id) << i;
    ASSERT_EQ(parsed.feature_id(), out.feature_id) << i;
    ASSERT_EQ(parsed.resource_id(), out.resource_id) << i;
    ASSERT_EQ(parsed.options().has_requested_usage(), out.requested_usage_given) << i;
    ASSERT_EQ(parsed.options().requested_usage(), out.requested_usage) << i;
    ASSERT_FALSE(parsed.options().has_fallback()) << i;
  }
  EXPECT_GT(fast, 10'000);
}

}  // namespace
}  // namespace sidecar
