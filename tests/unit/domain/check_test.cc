#include "domain/check.h"

#include <gtest/gtest.h>

#include "support/builders.h"

namespace sidecar {
namespace {

using testing::Boolean;
using testing::Credit;
using testing::Metered;
using testing::Numeric;
using testing::ViewOf;

const WallTime kNow = WallTimeFromEpochMs(1'795'255'200'000);

class Deciding : public ::testing::Test {
 protected:
  CheckAnswer Decide(CheckForm form, const FeatureEntitlement& entitlement, const FallbackValue* fallback = nullptr) {
    view_ = ViewOf(entitlement);
    return sidecar::Decide({.form = form, .id = "f", .per_call_fallback = fallback}, {.feature = &view_}, kNow);
  }

  static CheckAnswer DecideMissing(CheckForm form, Facts facts, const FallbackValue* fallback = nullptr) {
    return sidecar::Decide({.form = form, .id = "f", .per_call_fallback = fallback}, facts, kNow);
  }

  FeatureView view_;
  const FallbackValue grant_{.has_access = true};
};

TEST_F(Deciding, AKnownFeatureIsNeverAFallback) {
  const CheckAnswer answer = Decide(CheckForm::kBoolean, Boolean("f"), &grant_);
  EXPECT_TRUE(answer.has_access);
  EXPECT_FALSE(answer.is_fallback);
  EXPECT_EQ(answer.feature, &view_);
}

TEST_F(Deciding, AnUnknownCustomerIsAnAnswerThatIgnoresTheFallback) {
  const Facts facts{.record_empty = true, .record_reason = DeniedReason::kCustomerNotFound};
  const CheckAnswer answer = DecideMissing(CheckForm::kMetered, facts, &grant_);
  EXPECT_FALSE(answer.has_access);
  EXPECT_FALSE(answer.is_fallback);
  EXPECT_EQ(answer.reason, DeniedReason::kCustomerNotFound);
  EXPECT_EQ(answer.kind, EntitlementKind::kMetered);
}

TEST_F(Deciding, AnUnknownFeatureIsAnAnswer) {
  const CheckAnswer answer = DecideMissing(CheckForm::kBoolean, {}, &grant_);
  EXPECT_FALSE(answer.is_fallback);
  EXPECT_EQ(answer.reason, DeniedReason::kNoFeatureEntitlementInSubscription);
}

TEST_F(Deciding, AnEmptyRecordWithoutReasonDeniesTheFeature) {
  EXPECT_EQ(DecideMissing(CheckForm::kFeature, {.record_empty = true}).reason,
            DeniedReason::kNoFeatureEntitlementInSubscription);
}

TEST_F(Deciding, AMissingCreditIsEntitlementNotFound) {
  EXPECT_EQ(DecideMissing(CheckForm::kCredit, {}).reason, DeniedReason::kEntitlementNotFound);
}

TEST_F(Deciding, ATypeMismatchAnswersTheFallbackAndSaysSo) {
  const CheckAnswer denied = Decide(CheckForm::kBoolean, Metered("f", 5, 0));
  EXPECT_FALSE(denied.has_access);
  EXPECT_TRUE(denied.is_fallback);
  EXPECT_EQ(denied.reason, DeniedReason::kFeatureTypeMismatch);

  const CheckAnswer granted = Decide(CheckForm::kNumeric, Boolean("f"), &grant_);
  EXPECT_TRUE(granted.has_access);
  EXPECT_EQ(granted.reason, DeniedReason::kFeatureTypeMismatch);
}

TEST_F(Deciding, ATypeMismatchWinsOverAStandingDenial) {
  FeatureEntitlement revoked = Boolean("f");
  revoked.denied_reason = DeniedReason::kRevoked;
  EXPECT_EQ(Decide(CheckForm::kMetered, revoked).reason, DeniedReason::kFeatureTypeMismatch);
}

TEST_F(Deciding, AnUnknownTypeMismatchesTypedChecksAndHasNoBodyInOthers) {
  const FeatureEntitlement unknown{.feature = {.id = "f"}};
  EXPECT_EQ(Decide(CheckForm::kBoolean, unknown).reason, DeniedReason::kFeatureTypeMismatch);
  EXPECT_EQ(Decide(CheckForm::kFeature, unknown).kind, EntitlementKind::kUnknown);
}

TEST_F(Deciding, GenericMissingFeatureAnswersTheFallback) {
  const CheckAnswer with = DecideMissing(CheckForm::kGeneric, {}, &grant_);
  EXPECT_TRUE(with.has_access);
  EXPECT_TRUE(with.is_fallback);
  EXPECT_EQ(with.reason, DeniedReason::kUnknown);
}

TEST_F(Deciding, GenericMissingFeatureWithoutFallbackKeepsTheDecidedReason) {
  const CheckAnswer without =
      DecideMissing(CheckForm::kGeneric, {.record_empty = true, .record_reason = DeniedReason::kNoActiveSubscription});
  EXPECT_FALSE(without.has_access);
  EXPECT_TRUE(without.is_fallback);
  EXPECT_EQ(without.reason, DeniedReason::kNoActiveSubscription);
  EXPECT_EQ(without.kind, EntitlementKind::kUnknown);
}

TEST_F(Deciding, MeteredUsageIsRolledOver) {
  FeatureEntitlement calls = Metered("f", 10, 10);
  calls.period.end = kNow - Millis(1);
  const CheckAnswer answer = Decide(CheckForm::kMetered, calls);
  EXPECT_EQ(answer.usage.current_usage, 0);
  EXPECT_TRUE(answer.has_access);
}

TEST_F(Deciding, CreditAnswersHaveTheCreditAsBody) {
  const CreditView credit{.id = "c", .usage_limit = 5, .current_usage = 5};
  const CheckAnswer answer = sidecar::Decide({.form = CheckForm::kCredit, .id = "c"}, {.credit = &credit}, kNow);
  EXPECT_TRUE(answer.is_credit);
  EXPECT_EQ(answer.credit, &credit);
  EXPECT_EQ(answer.reason, DeniedReason::kInsufficientCredits);
}

TEST(AnswerFromFallbackTest, DeniesByDefaultWithReasonUnknown) {
  const CheckAnswer answer = AnswerFromFallback({.form = CheckForm::kMetered, .id = "f"});
  EXPECT_FALSE(answer.has_access);
  EXPECT_TRUE(answer.is_fallback);
  EXPECT_EQ(answer.reason, DeniedReason::kUnknown);
  EXPECT_EQ(answer.requested_usage, 1);
}

TEST(AnswerFromFallbackTest, ThePerCallFallbackWinsOverTheConfiguredOneAndCreditsHaveNone) {
  const FallbackValue deny{.has_access = false};
  FallbackTable configured;
  configured.Add("f", {.has_access = true});
  EXPECT_TRUE(AnswerFromFallback({.form = CheckForm::kBoolean, .id = "f", .configured = &configured}).has_access);
  EXPECT_FALSE(AnswerFromFallback({.form = CheckForm::kBoolean, .id = "g", .configured = &configured}).has_access);
  EXPECT_FALSE(AnswerFromFallback(
                   {.form = CheckForm::kBoolean, .id = "f", .per_call_fallback = &deny, .configured = &configured})
                   .has_access);
  EXPECT_FALSE(AnswerFromFallback({.form = CheckForm::kCredit, .id = "f", .configured = &configured}).has_access);
}

TEST(AnswerFromFallbackTest, KeepsReasonUnknownWhenItGrants) {
  const FallbackValue grant{.has_access = true};
  const CheckAnswer answer = AnswerFromFallback({.form = CheckForm::kBoolean, .id = "f", .per_call_fallback = &grant});
  EXPECT_TRUE(answer.has_access);
  EXPECT_EQ(answer.reason, DeniedReason::kUnknown);
}

TEST(AnswerFromFallbackTest, AGrantingV2FallbackHasNoReason) {
  const FallbackValue grant{.has_access = true};
  EXPECT_EQ(AnswerFromFallback({.form = CheckForm::kFeature, .id = "f", .per_call_fallback = &grant}).reason,
            DeniedReason::kNone);
  EXPECT_EQ(AnswerFromFallback({.form = CheckForm::kCredit, .id = "c", .per_call_fallback = &grant}).reason,
            DeniedReason::kNone);
}

TEST(AnswerFromFallbackTest, EchoesRequestedUsageOnlyWhenGiven) {
  EXPECT_EQ(
      AnswerFromFallback({.form = CheckForm::kMetered, .ask = {.requested_usage = 7}, .requested_usage_given = true})
          .requested_usage,
      7);
  EXPECT_EQ(AnswerFromFallback({.form = CheckForm::kMetered, .requested_usage_given = true}).requested_usage, 0);
}

TEST(AnswerFromFallbackTest, UntypedFallbacksTakeTheKindOfTheirMembers) {
  struct {
    FallbackValue value;
    EntitlementKind kind;
  } const rows[] = {
      {{.has_access = true}, EntitlementKind::kBoolean},
      {{.value = 5}, EntitlementKind::kNumeric},
      {{.usage_limit = 5}, EntitlementKind::kMetered},
      {{.unlimited = true}, EntitlementKind::kMetered},
      {{.enum_values = std::vector<std::string>{"eu"}}, EntitlementKind::kEnum},
      {{.value = 5, .usage_limit = 6, .enum_values = std::vector<std::string>{}}, EntitlementKind::kEnum},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(AnswerFromFallback({.form = CheckForm::kGeneric, .per_call_fallback = &row.value}).kind, row.kind);
    EXPECT_EQ(AnswerFromFallback({.form = CheckForm::kNumeric, .per_call_fallback = &row.value}).kind,
              EntitlementKind::kNumeric);
  }
}

TEST(IsListedTest, LeavesOutStandingDenialsAndUnknownTypesOnly) {
  EXPECT_TRUE(IsListed(ViewOf(Boolean("f"))));
  const FeatureEntitlement over = Metered("f", 5, 6);
  EXPECT_TRUE(IsListed(ViewOf(over)));
  FeatureEntitlement revoked = Boolean("f");
  revoked.denied_reason = DeniedReason::kRevoked;
  EXPECT_FALSE(IsListed(ViewOf(revoked)));
  EXPECT_FALSE(IsListed(FeatureView{.id = "f"}));
  FeatureView exhausted = ViewOf(over);
  exhausted.credit = CreditBalance{.remaining = 0};
  EXPECT_FALSE(IsListed(exhausted));
}

TEST(ListedFallbackTest, CarriesItsFeatureAndItsOwnKind) {
  const FallbackValue fallback{.has_access = false, .usage_limit = 3};
  const CheckAnswer answer = ListedFallback("f", fallback);
  EXPECT_EQ(answer.listed_id, "f");
  EXPECT_EQ(answer.kind, EntitlementKind::kMetered);
  EXPECT_TRUE(answer.is_fallback);
  EXPECT_EQ(answer.reason, DeniedReason::kUnknown);
}

TEST(IsExpiredTest, OnlyAnEndThatPassedAfterTheFetch) {
  const WallTime fetched = kNow - Millis(1000);
  EXPECT_FALSE(IsExpired(std::nullopt, fetched, kNow));
  EXPECT_FALSE(IsExpired(kNow + Millis(1), fetched, kNow));
  EXPECT_TRUE(IsExpired(kNow, fetched, kNow));
  EXPECT_TRUE(IsExpired(fetched + Millis(1), fetched, kNow));
  // Upstream knew when it answered.
  EXPECT_FALSE(IsExpired(fetched, fetched, kNow));
}

TEST(FallbackTableTest, KeepsOrderAndTheLastOfTwo) {
  FallbackTable table;
  table.Add("b", {.has_access = false});
  table.Add("a", {.has_access = true});
  table.Add("b", {.has_access = true, .value = 2});
  ASSERT_EQ(table.entries().size(), 2U);
  EXPECT_EQ(table.entries()[0].feature_id, "b");
  EXPECT_EQ(table.Find("b")->value, 2);
  EXPECT_EQ(table.Find("c"), nullptr);
}

}  // namespace
}  // namespace sidecar
