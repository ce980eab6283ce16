#include "service/encode.h"

#include <gtest/gtest.h>

#include "adapters/json/json.h"
#include "stigg/sidecar/v1/sidecar.pb.h"
#include "support/builders.h"

namespace sidecar {
namespace {

namespace v1 = stigg::sidecar::v1;
using testing::Boolean;
using testing::Enum;
using testing::Metered;
using testing::Numeric;
using testing::ViewOf;

class EncodeTest : public ::testing::Test {
 protected:
  /// Writes the answer and reads it back with the generated class.
  template <typename Message>
  Message Parse(const CheckAnswer& answer, const Check& check, const CheckResponseShape& shape) {
    writer_.Clear();
    encoder_.WriteCheck(answer, check, shape, writer_);
    Message message;
    EXPECT_TRUE(message.ParseFromArray(writer_.view().data(), static_cast<int>(writer_.view().size())));
    // Nothing unknown, and the bytes are the canonical ones.
    EXPECT_EQ(SerializeDeterministically(message), std::string(writer_.view()));
    return message;
  }

  FeatureView View(const FeatureEntitlement& entitlement) {
    definition_ = EncodeDefinition(entitlement.feature);
    FeatureView view = ViewOf(entitlement);
    view.encoded_definition = definition_;
    return view;
  }

  Metrics metrics_;
  AnswerEncoder encoder_{metrics_};
  ReverseWriter writer_;
  std::string definition_;
};

TEST_F(EncodeTest, Boolean) {
  const FeatureEntitlement sso = testing::Boolean("sso");
  const FeatureView view = View(sso);
  const auto message = Parse<v1::GetBooleanEntitlementResponse>(
      {.has_access = true, .feature = &view, .kind = EntitlementKind::kBoolean}, {}, kBooleanResponse);
  EXPECT_TRUE(message.has_access());
  EXPECT_FALSE(message.is_fallback());
  EXPECT_FALSE(message.has_access_denied_reason());
  EXPECT_EQ(message.entitlement().feature().id(), "sso");
  EXPECT_EQ(message.entitlement().feature().feature_type(), v1::FEATURE_TYPE_BOOLEAN);
  EXPECT_EQ(message.entitlement().feature().meter_type(), v1::METER_TYPE_NONE);
  EXPECT_FALSE(message.entitlement().feature().is_metered());
  EXPECT_TRUE(message.entitlement().feature().has_units());
}

TEST_F(EncodeTest, DeniedWithoutFeature) {
  const auto message = Parse<v1::GetMeteredEntitlementResponse>(
      {.reason = DeniedReason::kCustomerNotFound, .requested_usage = 2, .kind = EntitlementKind::kMetered}, {},
      kMeteredResponse);
  EXPECT_FALSE(message.has_access());
  EXPECT_EQ(message.access_denied_reason(), v1::ACCESS_DENIED_REASON_CUSTOMER_NOT_FOUND);
  EXPECT_EQ(message.requested_usage(), 2);
  ASSERT_TRUE(message.has_entitlement());
  EXPECT_FALSE(message.entitlement().has_feature());
  EXPECT_FALSE(message.entitlement().has_usage_limit());
  EXPECT_EQ(message.entitlement().current_usage(), 0);
  EXPECT_TRUE(message.entitlement().has_reset_period());
  EXPECT_EQ(message.entitlement().reset_period(), v1::ENTITLEMENT_RESET_PERIOD_UNSPECIFIED);
}

TEST_F(EncodeTest, MeteredWithEverything) {
  FeatureEntitlement calls = Metered("calls", 1000.5, 420.25);
  calls.soft_limit = true;
  calls.unlimited = true;
  calls.period = {.reset = ResetPeriod::kMonth, .anchor = ParseDate("1969-12-31T23:59:58.250Z")};
  const FeatureView view = View(calls);
  const CheckAnswer answer{.has_access = true,
                           .requested_usage = 3,
                           .feature = &view,
                           .kind = EntitlementKind::kMetered,
                           .usage = {.current_usage = 7.5,
                                     .start = ParseDate("2026-11-01T00:00:00Z"),
                                     .end = ParseDate("2026-12-01T00:00:00.001Z")}};
  const auto message = Parse<v1::GetMeteredEntitlementResponse>(answer, {}, kMeteredResponse);
  const v1::MeteredEntitlement& metered = message.entitlement();
  EXPECT_EQ(metered.usage_limit(), 1000.5);
  EXPECT_TRUE(metered.is_unlimited());
  EXPECT_TRUE(metered.has_soft_limit());
  EXPECT_EQ(metered.current_usage(), 7.5);
  EXPECT_EQ(metered.reset_period(), v1::ENTITLEMENT_RESET_PERIOD_MONTH);
  EXPECT_EQ(metered.usage_period_anchor().seconds(), -2);
  EXPECT_EQ(metered.usage_period_anchor().nanos(), 250'000'000);
  EXPECT_EQ(metered.usage_period_start().seconds(), 1'793'491'200);
  EXPECT_EQ(metered.usage_period_end().nanos(), 1'000'000);
  EXPECT_EQ(metered.next_reset_date().seconds(), metered.usage_period_end().seconds());
  EXPECT_EQ(metered.feature().units(), "call");
  EXPECT_TRUE(metered.feature().is_metered());
}

// Wherever the number of bytes of a second changes, before 1970 too, and with milliseconds.
TEST_F(EncodeTest, TimesOfAllSizes) {
  const FeatureView view = View(Metered("calls", 10, 5));
  std::vector<int64_t> seconds = {ToEpochMs(WallTimeFromEpochMs(kMinEpochMs)) / 1000, -1, 0, 1};
  for (int bits = 7; bits <= 35; bits += 7) {
    for (const int64_t around : {-1, 0, 1}) seconds.push_back((int64_t{1} << bits) + around);
  }
  for (const int64_t second : seconds) {
    for (const int64_t ms : {0, 1, 999}) {
      const WallTime time = WallTimeFromEpochMs(second * 1000 + ms);
      const auto message = Parse<v1::GetMeteredEntitlementResponse>(
          {.feature = &view, .kind = EntitlementKind::kMetered, .usage = {.start = time}}, {}, kMeteredResponse);
      ASSERT_EQ(message.entitlement().usage_period_start().seconds(), second);
      ASSERT_EQ(message.entitlement().usage_period_start().nanos(), ms * 1'000'000);
    }
  }
}

TEST_F(EncodeTest, NumericClampsAndTruncates) {
  struct {
    double value;
    int32_t expected;
    uint64_t clamped;
  } const rows[] = {{250, 250, 0},
                    {1.9, 1, 0},
                    {-1.9, -1, 0},
                    {2147483647, 2147483647, 0},
                    {2147483648.0, 2147483647, 1},
                    {-3e9, -2147483648, 1},
                    {1e300, 2147483647, 1}};
  for (const auto& row : rows) {
    const uint64_t before = metrics_.clamped_values.value();
    const FeatureEntitlement size = Numeric("size", row.value);
    const FeatureView view = View(size);
    const auto message = Parse<v1::GetNumericEntitlementResponse>(
        {.has_access = true, .feature = &view, .kind = EntitlementKind::kNumeric}, {}, kNumericResponse);
    EXPECT_EQ(message.entitlement().value(), row.expected) << row.value;
    EXPECT_EQ(metrics_.clamped_values.value() - before, row.clamped) << row.value;
  }
}

TEST_F(EncodeTest, NumericWithoutValueAndUnlimited) {
  FeatureEntitlement size = Numeric("size", std::nullopt);
  size.unlimited = true;
  const FeatureView view = View(size);
  const auto message = Parse<v1::GetNumericEntitlementResponse>(
      {.has_access = true, .feature = &view, .kind = EntitlementKind::kNumeric}, {}, kNumericResponse);
  EXPECT_FALSE(message.entitlement().has_value());
  EXPECT_TRUE(message.entitlement().is_unlimited());
}

TEST_F(EncodeTest, EnumKeepsOrderAndEchoesWhatWasAsked) {
  const FeatureEntitlement regions = Enum("regions", {"eu", "us", "ap"});
  const FeatureView view = View(regions);
  const std::vector<std::string_view> wanted{"us", "eu"};
  const auto message =
      Parse<v1::GetEnumEntitlementResponse>({.has_access = true, .feature = &view, .kind = EntitlementKind::kEnum},
                                            {.ask = {.requested_values = wanted}}, kEnumResponse);
  EXPECT_EQ(std::vector<std::string>(message.requested_values().begin(), message.requested_values().end()),
            (std::vector<std::string>{"us", "eu"}));
  EXPECT_EQ(message.entitlement().enum_values(1), "us");
  EXPECT_EQ(message.entitlement().enum_values_size(), 3);
}

TEST_F(EncodeTest, TheOneofFollowsTheKind) {
  const FeatureEntitlement features[] = {testing::Boolean("f"), Numeric("f", 1), Metered("f", 1, 0), Enum("f", {})};
  const v1::GetEntitlementResponse::EntitlementCase cases[] = {
      v1::GetEntitlementResponse::kBoolean, v1::GetEntitlementResponse::kNumeric, v1::GetEntitlementResponse::kMetered,
      v1::GetEntitlementResponse::kEnum};
  for (int i = 0; i < 4; ++i) {
    const FeatureView view = View(features[i]);
    const auto message = Parse<v1::GetEntitlementResponse>({.has_access = true, .feature = &view, .kind = view.kind()},
                                                           {}, kGenericResponse);
    EXPECT_EQ(message.entitlement_case(), cases[i]);
    EXPECT_EQ(
        Parse<v1::EntitlementV2>({.has_access = true, .feature = &view, .kind = view.kind()}, {}, kGenericResponse)
            .entitlement_case(),
        static_cast<int>(cases[i]));
  }
}

TEST_F(EncodeTest, AnUnknownKindHasNoBody) {
  const auto message = Parse<v1::GetEntitlementResponse>(
      {.reason = DeniedReason::kUnknown, .kind = EntitlementKind::kUnknown}, {}, kGenericResponse);
  EXPECT_EQ(message.entitlement_case(), v1::GetEntitlementResponse::ENTITLEMENT_NOT_SET);
}

TEST_F(EncodeTest, Credit) {
  const std::string definition = EncodeDefinition(
      CurrencyDefinition{.id = "tokens",
                         .display_name = "AI tokens",
                         .description = "For drafts",
                         .unit_singular = "token",
                         .unit_plural = "tokens",
                         .additional_meta_data_json = R"({"tier":"gold","steps":[1,2],"nested":{"ok":true}})"});
  const CreditView credit{.id = "tokens",
                          .encoded_definition = definition,
                          .usage_limit = 500,
                          .current_usage = 120,
                          .soft_limit = true,
                          .usage_period_end = ParseDate("2026-12-01T00:00:00Z")};
  const auto message = Parse<v1::EntitlementV2>({.has_access = true, .credit = &credit, .is_credit = true},
                                                {.id = "tokens"}, kGenericResponse);
  ASSERT_TRUE(message.has_credit());
  EXPECT_EQ(message.credit().currency().currency_id(), "tokens");
  EXPECT_EQ(message.credit().currency().display_name(), "AI tokens");
  EXPECT_EQ(message.credit().currency().unit_plural(), "tokens");
  EXPECT_EQ(message.credit().currency().additional_meta_data().fields().at("tier").string_value(), "gold");
  EXPECT_EQ(message.credit().usage_limit(), 500);
  EXPECT_EQ(message.credit().remaining(), 380);
  EXPECT_TRUE(message.credit().has_soft_limit());
  EXPECT_EQ(message.credit().usage_period_end().seconds(), 1'796'083'200);
}

TEST_F(EncodeTest, ACreditFallbackNamesItsCurrency) {
  const FallbackValue fallback{.has_access = true, .usage_limit = 10};
  const auto message =
      Parse<v1::EntitlementV2>({.has_access = true, .is_fallback = true, .fallback = &fallback, .is_credit = true},
                               {.id = "tokens"}, kGenericResponse);
  EXPECT_EQ(message.credit().currency().currency_id(), "tokens");
  EXPECT_EQ(message.credit().usage_limit(), 10);
  EXPECT_EQ(message.credit().remaining(), 10);
}

TEST_F(EncodeTest, FallbackBodiesCarryTheirMembers) {
  const FallbackValue fallback{.has_access = true,
                               .value = 5,
                               .usage_limit = 7,
                               .unlimited = true,
                               .enum_values = std::vector<std::string>{"a", "b"}};
  const auto answer = [&](EntitlementKind kind) {
    return CheckAnswer{.has_access = true,
                       .is_fallback = true,
                       .reason = DeniedReason::kUnknown,
                       .requested_usage = 1,
                       .fallback = &fallback,
                       .kind = kind};
  };
  const auto numeric =
      Parse<v1::GetNumericEntitlementResponse>(answer(EntitlementKind::kNumeric), {}, kNumericResponse);
  EXPECT_EQ(numeric.entitlement().value(), 5);
  EXPECT_TRUE(numeric.entitlement().is_unlimited());
  EXPECT_FALSE(numeric.entitlement().has_feature());
  EXPECT_TRUE(numeric.is_fallback());
  EXPECT_EQ(numeric.access_denied_reason(), v1::ACCESS_DENIED_REASON_UNKNOWN);
  const auto metered =
      Parse<v1::GetMeteredEntitlementResponse>(answer(EntitlementKind::kMetered), {}, kMeteredResponse);
  EXPECT_EQ(metered.entitlement().usage_limit(), 7);
  EXPECT_EQ(metered.requested_usage(), 1);
  const auto enums = Parse<v1::GetEnumEntitlementResponse>(answer(EntitlementKind::kEnum), {}, kEnumResponse);
  EXPECT_EQ(enums.entitlement().enum_values_size(), 2);
}

TEST_F(EncodeTest, ListElements) {
  const FallbackValue fallback{.has_access = true, .value = 5};
  const FeatureEntitlement calls = Metered("calls", 10, 3);
  const FeatureView view = View(calls);
  writer_.Clear();
  encoder_.WriteListElement(ListedFallback("size", fallback), writer_);
  encoder_.WriteListElement(DecideListed(view, WallTimeFromEpochMs(0)), writer_);
  v1::GetEntitlementsResponse list;
  ASSERT_TRUE(list.ParseFromArray(writer_.view().data(), static_cast<int>(writer_.view().size())));
  ASSERT_EQ(list.entitlements_size(), 2);
  EXPECT_EQ(list.entitlements(0).metered().current_usage(), 3);
  EXPECT_EQ(list.entitlements(1).numeric().feature().id(), "size");
  EXPECT_EQ(list.entitlements(1).numeric().value(), 5);
}

TEST(ReverseWriterTest, GrowsForLongAnswers) {
  ReverseWriter writer;
  const std::string big(100'000, 'x');
  const size_t mark = writer.Mark();
  for (int i = 0; i < 3; ++i) writer.Bytes(5, big);
  writer.CloseMessage(5, mark);
  v1::GetEnumEntitlementResponse message;
  ASSERT_TRUE(message.ParseFromArray(writer.view().data(), static_cast<int>(writer.view().size())));
  ASSERT_EQ(message.entitlement().enum_values_size(), 3);
  EXPECT_EQ(message.entitlement().enum_values(2), big);
  writer.Clear();
  EXPECT_TRUE(writer.view().empty());
}

}  // namespace
}  // namespace sidecar
