#include "domain/evaluate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "support/builders.h"

namespace sidecar {
namespace {

using testing::Boolean;
using testing::Credit;
using testing::Enum;
using testing::Metered;
using testing::Numeric;
using testing::ViewOf;

constexpr auto kGranted = Verdict::Granted();
constexpr auto kOverLimit = Verdict::Denied(DeniedReason::kRequestedUsageExceedingLimit);

Verdict Check(const FeatureEntitlement& entitlement, double requested = 0) {
  const FeatureView view = ViewOf(entitlement);
  const UsageWindow usage{.current_usage = entitlement.current_usage};
  return Evaluate(view, usage, {.requested_usage = requested});
}

FeatureEntitlement With(FeatureEntitlement entitlement, DeniedReason reason) {
  entitlement.denied_reason = reason;
  return entitlement;
}

FeatureEntitlement Unlimited(FeatureEntitlement entitlement) {
  entitlement.unlimited = true;
  return entitlement;
}

FeatureEntitlement Soft(FeatureEntitlement entitlement) {
  entitlement.soft_limit = true;
  return entitlement;
}

FeatureEntitlement MeterOf(FeatureEntitlement entitlement, MeterType meter) {
  entitlement.feature.meter = meter;
  return entitlement;
}

struct Row {
  std::string rule;
  FeatureEntitlement entitlement;
  double requested;
  Verdict expected;
};

void PrintTo(const Row& row, std::ostream* out) { *out << row.rule; }

class EvaluateRules : public ::testing::TestWithParam<Row> {};

TEST_P(EvaluateRules, DecidesAsTheTableSays) {
  EXPECT_EQ(Check(GetParam().entitlement, GetParam().requested), GetParam().expected);
}

// docs/protocol.md section 4.2, rows 3 to 8, and section 13.
INSTANTIATE_TEST_SUITE_P(
    Rules, EvaluateRules,
    ::testing::Values(Row{"BooleanIsGranted", Boolean("f"), 0, kGranted},
                      Row{"BooleanDeniedByUpstreamReason", With(Boolean("f"), DeniedReason::kRevoked), 0,
                          Verdict::Denied(DeniedReason::kRevoked)},
                      Row{"EnumWithNothingRequestedIsGranted", Enum("f", {"eu"}), 0, kGranted},
                      Row{"NumericIsGranted", Numeric("f", 250), 0, kGranted},
                      Row{"NumericWithoutValueIsGranted", Numeric("f", std::nullopt), 0, kGranted},
                      Row{"NumericIgnoresRequestedUsage", Numeric("f", 1), 1000, kGranted},
                      Row{"MeteredBelowTheLimit", Metered("f", 1000, 420), 580, kGranted},
                      Row{"MeteredBeyondTheLimit", Metered("f", 1000, 420), 581, kOverLimit},
                      Row{"MeteredAtTheLimitWithNothingRequested", Metered("f", 5, 5), 0, kGranted},
                      Row{"MeteredAtTheLimitWithOneRequested", Metered("f", 5, 5), 1, kOverLimit},
                      Row{"MeteredAlreadyOverTheLimit", Metered("f", 5, 6), 0, kOverLimit},
                      Row{"MeteredWithoutLimitHasLimitZero", Metered("f", std::nullopt, 0), 0, kGranted},
                      Row{"MeteredWithoutLimitDeniesAnyUse", Metered("f", std::nullopt, 0), 0.5, kOverLimit},
                      Row{"MeteredTakesFractions", Metered("f", 1, 0.25), 0.75, kGranted},
                      Row{"MeteredNegativeLimitDenies", Metered("f", -1, 0), 0, kOverLimit},
                      Row{"MeteredHugeUsageDenies", Metered("f", 9007199254740993.0, 1e300), 1e300, kOverLimit},
                      Row{"FluctuatingIsMetered", MeterOf(Metered("f", 5, 5), MeterType::kFluctuating), 1, kOverLimit},
                      Row{"UnknownMeterIsMetered", MeterOf(Metered("f", 5, 5), MeterType::kUnspecified), 1, kOverLimit},
                      Row{"UnlimitedIgnoresUsage", Unlimited(Metered("f", std::nullopt, 1e9)), 1e9, kGranted},
                      Row{"SoftLimitIgnoresUsage", Soft(Metered("f", 10, 11)), 100, kGranted},
                      Row{"UnlimitedStillDeniedByReason",
                          With(Unlimited(Metered("f", 1, 0)), DeniedReason::kInsufficientCredits), 0,
                          Verdict::Denied(DeniedReason::kInsufficientCredits)},
                      Row{"StoredExceedingLimitIsRecomputedToGrant",
                          With(Metered("f", 5, 1), DeniedReason::kRequestedUsageExceedingLimit), 0, kGranted},
                      Row{"StoredExceedingLimitIsRecomputedToDeny",
                          With(Metered("f", 5, 5), DeniedReason::kRequestedUsageExceedingLimit), 1, kOverLimit},
                      Row{"UnknownReasonDenies", With(Boolean("f"), DeniedReason::kUnknown), 0,
                          Verdict::Denied(DeniedReason::kUnknown)},
                      Row{"UnknownTypeIsNotGranted", FeatureEntitlement{.feature = {.id = "f"}}, 0,
                          Verdict::Denied(DeniedReason::kUnknown)}),
    [](const auto& row) { return row.param.rule; });

TEST(EvaluateEnum, EveryRequestedValueMustBeGranted) {
  const FeatureEntitlement regions = Enum("f", {"eu", "us"});
  const FeatureView view = ViewOf(regions);
  const std::vector<std::string_view> one{"eu"};
  const std::vector<std::string_view> both{"us", "eu"};
  const std::vector<std::string_view> more{"eu", "ap"};
  EXPECT_EQ(Evaluate(view, {}, {.requested_values = one}), kGranted);
  EXPECT_EQ(Evaluate(view, {}, {.requested_values = both}), kGranted);
  EXPECT_EQ(Evaluate(view, {}, {.requested_values = more}), Verdict::Denied(DeniedReason::kRequestedValuesMismatch));
}

TEST(EvaluateEnum, ValuesAreComparedExactly) {
  const FeatureEntitlement regions = Enum("f", {"eu"});
  const std::vector<std::string_view> other_case{"EU"};
  EXPECT_FALSE(Evaluate(ViewOf(regions), {}, {.requested_values = other_case}).has_access);
}

struct CreditRow {
  std::string rule;
  CreditEntitlement credit;
  Verdict expected;
};

void PrintTo(const CreditRow& row, std::ostream* out) { *out << row.rule; }

class EvaluateCreditRules : public ::testing::TestWithParam<CreditRow> {};

TEST_P(EvaluateCreditRules, DecidesAsTheTableSays) {
  const CreditEntitlement& credit = GetParam().credit;
  EXPECT_EQ(Evaluate(CreditView{.denied_reason = credit.denied_reason,
                                .usage_limit = credit.usage_limit,
                                .current_usage = credit.current_usage,
                                .soft_limit = credit.soft_limit}),
            GetParam().expected);
}

CreditEntitlement WithCreditReason(CreditEntitlement credit, DeniedReason reason) {
  credit.denied_reason = reason;
  return credit;
}

CreditEntitlement SoftCredit(CreditEntitlement credit) {
  credit.soft_limit = true;
  return credit;
}

// docs/protocol.md section 13.8.
INSTANTIATE_TEST_SUITE_P(
    Rules, EvaluateCreditRules,
    ::testing::Values(
        CreditRow{"SomethingRemains", Credit("c", 500, 120), kGranted},
        CreditRow{"NothingRemains", Credit("c", 500, 500), Verdict::Denied(DeniedReason::kInsufficientCredits)},
        CreditRow{"Overdrawn", Credit("c", 500, 501), Verdict::Denied(DeniedReason::kInsufficientCredits)},
        CreditRow{"OverdrawnWithSoftLimit", SoftCredit(Credit("c", 500, 501)), kGranted},
        CreditRow{"ReasonDenies", WithCreditReason(Credit("c", 500, 0), DeniedReason::kRevoked),
                  Verdict::Denied(DeniedReason::kRevoked)},
        CreditRow{"ReasonDeniesSoftLimitToo", WithCreditReason(SoftCredit(Credit("c", 500, 0)), DeniedReason::kRevoked),
                  Verdict::Denied(DeniedReason::kRevoked)}),
    [](const auto& row) { return row.param.rule; });

TEST(EvaluateFeaturePaidFromCredit, FollowsTheBalance) {
  const FeatureEntitlement drafts = Unlimited(Metered("f", std::nullopt, 12));
  FeatureView view = ViewOf(drafts);
  view.credit = CreditBalance{.remaining = 1};
  EXPECT_EQ(Evaluate(view, {}, {}), kGranted);
  view.credit = CreditBalance{.remaining = 0};
  EXPECT_EQ(Evaluate(view, {}, {}), Verdict::Denied(DeniedReason::kInsufficientCredits));
  view.credit = CreditBalance{.remaining = -5, .soft_limit = true};
  EXPECT_EQ(Evaluate(view, {}, {}), kGranted);
}

TEST(EvaluateFeaturePaidFromCredit, APositiveBalanceDoesNotLiftWhatUpstreamSaidWithIt) {
  // Upstream may deny with credits left: too few for one unit.
  const FeatureEntitlement drafts = With(Unlimited(Metered("f", std::nullopt, 12)), DeniedReason::kInsufficientCredits);
  FeatureView view = ViewOf(drafts);
  view.credit = CreditBalance{.remaining = 1};
  EXPECT_EQ(Evaluate(view, {}, {}), Verdict::Denied(DeniedReason::kInsufficientCredits));
}

/// Random metered entitlements; a failure prints the seed.
class MeteredProperties : public ::testing::Test {
 protected:
  template <typename Fn>
  void ForMany(Fn fn) {
    constexpr uint32_t kSeed = 20261121;
    std::mt19937 generator(kSeed);
    std::uniform_real_distribution<double> amount(0, 1000);
    for (int i = 0; i < 10'000; ++i) {
      SCOPED_TRACE("seed " + std::to_string(kSeed) + ", case " + std::to_string(i));
      fn(std::floor(amount(generator)), std::floor(amount(generator)), std::floor(amount(generator)),
         amount(generator));
      if (HasFailure()) return;
    }
  }
};

TEST_F(MeteredProperties, RaisingALimitNeverRemovesAccess) {
  ForMany([](double limit, double usage, double requested, double raise) {
    if (Check(Metered("f", limit, usage), requested).has_access) {
      EXPECT_TRUE(Check(Metered("f", limit + raise, usage), requested).has_access);
    }
  });
}

TEST_F(MeteredProperties, AskingForLessNeverRemovesAccess) {
  ForMany([](double limit, double usage, double requested, double) {
    if (Check(Metered("f", limit, usage), requested).has_access) {
      EXPECT_TRUE(Check(Metered("f", limit, usage), requested / 2).has_access);
    }
  });
}

TEST_F(MeteredProperties, UnlimitedIgnoresUsage) {
  ForMany([](double limit, double usage, double requested, double) {
    EXPECT_TRUE(Check(Unlimited(Metered("f", limit, usage)), requested).has_access);
  });
}

TEST_F(MeteredProperties, AccessIsExactlyThatTheSumFits) {
  ForMany([](double limit, double usage, double requested, double) {
    EXPECT_EQ(Check(Metered("f", limit, usage), requested).has_access, usage + requested <= limit);
  });
}

}  // namespace
}  // namespace sidecar
