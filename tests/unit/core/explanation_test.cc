#include "core/explanation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/builders.h"

namespace sidecar {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr WallTime kNow = WallTimeFromEpochMs(1'800'000'000'000);

FeatureView MeteredView(double limit, double usage) {
  FeatureView view;
  view.id = "seats";
  view.type = FeatureType::kNumber;
  view.meter = MeterType::kFluctuating;
  view.usage_limit = limit;
  view.current_usage = usage;
  return view;
}

Explanation Of(const FeatureView& feature, double requested = 0) {
  const Facts facts{.feature = &feature};
  return Explain({.form = CheckForm::kFeature, .id = feature.id, .ask = {.requested_usage = requested}}, &facts, kNow);
}

TEST(ExplanationTest, MeteredShowsTheSum) {
  EXPECT_EQ(Of(MeteredView(5, 3), 2).rule, "metered: usage 3 + requested 2 = 5 <= limit 5");
  EXPECT_EQ(Of(MeteredView(5, 3), 2).would_flip, "a request of more than 2, or usage above 3");
  EXPECT_EQ(Of(MeteredView(5, 3), 3).rule, "metered: usage 3 + requested 3 = 6 > limit 5");
  EXPECT_THAT(Of(MeteredView(5, 3), 3).would_flip, HasSubstr("a request of at most 2"));
  EXPECT_THAT(Of(MeteredView(5, 7)).would_flip, HasSubstr("usage of at most 5"));
}

/// What is said to flip the verdict does.
TEST(ExplanationTest, WhatWouldFlipDoes) {
  for (double limit : {0.0, 1.0, 5.0, 7.5}) {
    for (double usage : {0.0, 1.0, 5.0, 9.0}) {
      for (double requested : {0.0, 1.0, 4.0}) {
        const Explanation said = Of(MeteredView(limit, usage), requested);
        EXPECT_EQ(said.answer.has_access, usage + requested <= limit);
        if (said.answer.has_access) {
          EXPECT_FALSE(Of(MeteredView(limit, limit - requested + 0.5), requested).answer.has_access);
        } else {
          EXPECT_TRUE(Of(MeteredView(usage + requested, usage), requested).answer.has_access);
        }
      }
    }
  }
}

TEST(ExplanationTest, LimitsThatDoNotCount) {
  FeatureView view = MeteredView(5, 9);
  view.soft_limit = true;
  EXPECT_THAT(Of(view).rule, HasSubstr("soft limit"));
  view.unlimited = true;
  EXPECT_THAT(Of(view).rule, HasSubstr("unlimited"));
  view = MeteredView(0, 0);
  view.usage_limit.reset();
  EXPECT_THAT(Of(view, 1).rule, HasSubstr("limit 0 (none is set)"));
}

TEST(ExplanationTest, APeriodThatIsOver) {
  FeatureView view = MeteredView(5, 5);
  view.period = {.reset = ResetPeriod::kMonth, .end = kNow - Millis(1)};
  EXPECT_THAT(Of(view, 1).rule, HasSubstr("usage 0 (5 until the period ended)"));
}

TEST(ExplanationTest, StandingDenials) {
  FeatureView view = MeteredView(5, 0);
  view.denied_reason = DeniedReason::kRevoked;
  EXPECT_THAT(Of(view).rule, HasSubstr("Revoked"));
  view = MeteredView(5, 0);
  view.credit = CreditBalance{.remaining = 0};
  EXPECT_THAT(Of(view).rule, HasSubstr("credit that pays"));
}

TEST(ExplanationTest, EnumsNameWhatIsGranted) {
  FeatureView view;
  view.type = FeatureType::kEnum;
  view.enum_values = {"eu", "us"};
  const std::string_view asked[] = {"asia"};
  const Facts facts{.feature = &view};
  const Explanation said =
      Explain({.form = CheckForm::kFeature, .id = "region", .ask = {.requested_values = asked}}, &facts, kNow);
  EXPECT_EQ(said.rule, "enum: asked for 'asia'; granted are 'eu', 'us'");
  EXPECT_FALSE(said.answer.has_access);
}

TEST(ExplanationTest, NothingKnown) {
  FallbackTable fallbacks;
  fallbacks.Add("flag", {.has_access = true});
  const Check check{.form = CheckForm::kFeature, .id = "flag", .configured = &fallbacks};
  EXPECT_EQ(Explain(check, nullptr, kNow).rule,
            "nothing is known of the customer: the fallback in ENTITLEMENTS_FALLBACK grants access");
  const Check other{.form = CheckForm::kFeature, .id = "other", .configured = &fallbacks};
  EXPECT_THAT(Explain(other, nullptr, kNow).rule, HasSubstr("there is no fallback for 'other': denied"));
}

TEST(ExplanationTest, WhatTheRecordLacks) {
  Facts facts{.record_empty = true, .record_reason = DeniedReason::kCustomerNotFound};
  const Check check{.form = CheckForm::kFeature, .id = "flag"};
  EXPECT_THAT(Explain(check, &facts, kNow).rule, HasSubstr("CustomerNotFound"));
  facts = {};
  EXPECT_THAT(Explain(check, &facts, kNow).rule, HasSubstr("no feature 'flag'"));
  EXPECT_THAT(Explain({.form = CheckForm::kCredit, .id = "coins"}, &facts, kNow).rule, HasSubstr("no credit 'coins'"));
}

TEST(ExplanationTest, Credits) {
  CreditView credit;
  credit.usage_limit = 10;
  credit.current_usage = 10;
  Facts facts{.credit = &credit};
  const Check check{.form = CheckForm::kCredit, .id = "coins"};
  EXPECT_EQ(Explain(check, &facts, kNow).rule, "credit: limit 10 - usage 10 = 0 <= 0");
  credit.current_usage = 4;
  EXPECT_EQ(Explain(check, &facts, kNow).rule, "credit: limit 10 - usage 4 = 6 > 0");
  EXPECT_THAT(Explain(check, &facts, kNow).would_flip, Not(HasSubstr("more credit")));
}

}  // namespace
}  // namespace sidecar
