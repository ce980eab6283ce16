#include "service/validate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "service/utf8.h"
#include "stigg/sidecar/v1/sidecar.pb.h"
#include "support/status_matchers.h"

namespace sidecar {
namespace {

namespace v1 = stigg::sidecar::v1;
using testing::FailsWith;
using testing::IsOk;

using testing::kInvalid;

TEST(CheckIdTest, NamesFieldAndReason) {
  EXPECT_THAT(CheckId("customer_id", "c"), IsOk());
  EXPECT_THAT(CheckId("customer_id", std::string(1024, 'x')), IsOk());
  EXPECT_THAT(CheckId("customer_id", "\xC3\xBC ü"), IsOk());
  EXPECT_THAT(CheckId("customer_id", ""), FailsWith(kInvalid, "customer_id: must not be empty"));
  EXPECT_THAT(CheckId("customer_id", std::string(1025, 'x')),
              FailsWith(kInvalid, "customer_id: 1025 bytes; at most 1024"));
  EXPECT_THAT(CheckId("f", std::string_view("a\0b", 3)), FailsWith(kInvalid, "f: control character 0x00 at byte 1"));
  EXPECT_THAT(CheckId("f", "a\n"), FailsWith(kInvalid, "0x0a"));
  EXPECT_THAT(CheckId("f", "\x7f"), FailsWith(kInvalid, "0x7f"));
  EXPECT_THAT(CheckOptionalId("r", ""), IsOk());
  EXPECT_THAT(CheckOptionalId("r", "\t"), FailsWith(kInvalid, "r: control character"));
}

TEST(CheckRequestedUsageTest, TakesFiniteNumbersFromZero) {
  EXPECT_THAT(CheckRequestedUsage("u", 0), IsOk());
  EXPECT_THAT(CheckRequestedUsage("u", 1e300), IsOk());
  EXPECT_THAT(CheckRequestedUsage("u", -0.5), FailsWith(kInvalid, "u: is -0.5; expected 0 or more"));
  EXPECT_THAT(CheckRequestedUsage("u", std::nan("")), FailsWith(kInvalid, "u: is not a number"));
  EXPECT_THAT(CheckRequestedUsage("u", std::numeric_limits<double>::infinity()), FailsWith(kInvalid, "u: is infinite"));
}

TEST(CheckTimestampTest, TakesTheRangeOfTheWireType) {
  google::protobuf::Timestamp time;
  EXPECT_THAT(CheckTimestamp("t", time), IsOk());
  time.set_nanos(1'000'000'000);
  EXPECT_THAT(CheckTimestamp("t", time), FailsWith(kInvalid, "t: is out of range"));
  time.set_nanos(0);
  time.set_seconds(253'402'300'800);
  EXPECT_THAT(CheckTimestamp("t", time), FailsWith(kInvalid, "t: is out of range"));
}

TEST(ParseRequestTest, NamesTheStringThatIsNotUtf8) {
  v1::GetEntitlementRequest good;
  good.set_customer_id("c");
  good.mutable_options()->set_requested_usage(2);
  v1::GetEntitlementRequest parsed;
  EXPECT_THAT(ParseRequest(good.SerializeAsString(), parsed), IsOk());

  // customer_id = 1, a lone continuation byte.
  EXPECT_THAT(ParseRequest("\x0a\x01\x80", parsed), FailsWith(kInvalid, "customer_id: is not valid UTF-8"));
  // options = 4 { requested_values = 3: "\xff" }, after a good customer id.
  EXPECT_THAT(ParseRequest("\x0a\x01"
                           "c"
                           "\x22\x03\x1a\x01\xff",
                           parsed),
              FailsWith(kInvalid, "options.requested_values: is not valid UTF-8"));
}

TEST(ParseRequestTest, SaysWhichMessageItExpected) {
  v1::GetEntitlementsRequest parsed;
  EXPECT_THAT(ParseRequest("\x0a\x05"
                           "abc",
                           parsed),
              FailsWith(kInvalid, "request: 5 bytes that are not a stigg.sidecar.v1.GetEntitlementsRequest"));
  EXPECT_THAT(ParseRequest("\xff\xff\xff\xff\xff\xff", parsed), FailsWith(kInvalid, "request: 6 bytes"));
}

TEST(ParseRequestTest, UnknownFieldsAreAccepted) {
  v1::GetEntitlementsRequest parsed;
  EXPECT_THAT(ParseRequest("\x0a\x01"
                           "c"
                           "\xa2\x06\x03xyz",
                           parsed),
              IsOk());
  EXPECT_EQ(parsed.customer_id(), "c");
}

TEST(Utf8Test, TakesWellFormedSequencesOnly) {
  EXPECT_TRUE(IsUtf8(""));
  EXPECT_TRUE(IsUtf8("a\xC2\x80\xE0\xA0\x80\xEF\xBF\xBF\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"));
  for (const char* bad : {"\x80", "\xC2", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF",
                          "\xF4\x90\x80\x80", "\xF8\x88\x80\x80\x80", "\xFF", "\xE2\x82", "\xC3\x28"}) {
    EXPECT_FALSE(IsUtf8(bad)) << bad;
  }
}

}  // namespace
}  // namespace sidecar
