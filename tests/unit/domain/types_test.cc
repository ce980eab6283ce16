#include "domain/types.h"

#include <gtest/gtest.h>

namespace sidecar {
namespace {

TEST(Names, ReadBackWhatTheyWrite) {
  for (int i = 1; i <= 14; ++i) {
    const auto reason = static_cast<DeniedReason>(i);
    EXPECT_EQ(DeniedReasonFromName(Name(reason)), reason);
  }
  for (int i = 1; i <= 3; ++i) {
    EXPECT_EQ(FeatureTypeFromName(Name(static_cast<FeatureType>(i))), static_cast<FeatureType>(i));
    EXPECT_EQ(MeterTypeFromName(Name(static_cast<MeterType>(i))), static_cast<MeterType>(i));
  }
  for (int i = 1; i <= 5; ++i) {
    EXPECT_EQ(ResetPeriodFromName(Name(static_cast<ResetPeriod>(i))), static_cast<ResetPeriod>(i));
  }
}

TEST(Names, AnUnknownReasonStillDenies) {
  EXPECT_EQ(DeniedReasonFromName("SomethingNewIn2027"), DeniedReason::kUnknown);
  EXPECT_EQ(DeniedReasonFromName(""), DeniedReason::kUnknown);
}

TEST(Names, UnknownTypesAreUnspecified) {
  EXPECT_EQ(FeatureTypeFromName("boolean"), FeatureType::kUnspecified);
  EXPECT_EQ(MeterTypeFromName("NONE"), MeterType::kUnspecified);
  EXPECT_EQ(ResetPeriodFromName("DECADE"), ResetPeriod::kNone);
  EXPECT_EQ(Name(static_cast<FeatureType>(99)), "UNSPECIFIED");
  EXPECT_EQ(Name(static_cast<MeterType>(99)), "Unspecified");
  EXPECT_EQ(Name(static_cast<ResetPeriod>(99)), "");
  EXPECT_EQ(Name(static_cast<DeniedReason>(99)), "");
  EXPECT_EQ(Name(static_cast<EntitlementKind>(99)), "unknown");
}

TEST(ResetAnchors, AreReadByPeriod) {
  EXPECT_EQ(ResetAnchorFromName(ResetPeriod::kMonth, "StartOfTheMonth"), ResetAnchor::kMonthStartOfTheMonth);
  EXPECT_EQ(ResetAnchorFromName(ResetPeriod::kMonth, "SubscriptionStart"), ResetAnchor::kMonthSubscriptionStart);
  EXPECT_EQ(ResetAnchorFromName(ResetPeriod::kWeek, "SubscriptionStart"), ResetAnchor::kWeekSubscriptionStart);
  EXPECT_EQ(ResetAnchorFromName(ResetPeriod::kWeek, "EverySunday"), ResetAnchor::kWeekEverySunday);
  EXPECT_EQ(ResetAnchorFromName(ResetPeriod::kWeek, "EverySaturday"), ResetAnchor::kWeekEverySaturday);
  EXPECT_EQ(ResetAnchorFromName(ResetPeriod::kYear, "SubscriptionStart"), ResetAnchor::kYearSubscriptionStart);
  EXPECT_EQ(ResetAnchorFromName(ResetPeriod::kYear, "EverySunday"), ResetAnchor::kNone);
  EXPECT_EQ(ResetAnchorFromName(ResetPeriod::kDay, "SubscriptionStart"), ResetAnchor::kNone);
  EXPECT_EQ(ResetAnchorFromName(ResetPeriod::kMonth, "EverySunday"), ResetAnchor::kNone);
  EXPECT_EQ(ResetAnchorFromName(ResetPeriod::kWeek, "StartOfTheMonth"), ResetAnchor::kNone);
}

TEST(Kinds, FollowTypeAndMeter) {
  EXPECT_EQ(KindOf(FeatureType::kBoolean, MeterType::kNone), EntitlementKind::kBoolean);
  EXPECT_EQ(KindOf(FeatureType::kEnum, MeterType::kNone), EntitlementKind::kEnum);
  EXPECT_EQ(KindOf(FeatureType::kNumber, MeterType::kNone), EntitlementKind::kNumeric);
  EXPECT_EQ(KindOf(FeatureType::kNumber, MeterType::kFluctuating), EntitlementKind::kMetered);
  EXPECT_EQ(KindOf(FeatureType::kNumber, MeterType::kIncremental), EntitlementKind::kMetered);
  EXPECT_EQ(KindOf(FeatureType::kUnspecified, MeterType::kNone), EntitlementKind::kUnknown);
}

}  // namespace
}  // namespace sidecar
