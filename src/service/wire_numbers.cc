// The domain's numbers are the wire's: these lines keep them so.
#include "domain/types.h"
#include "stigg/sidecar/v1/sidecar.pb.h"

namespace sidecar {
namespace {

namespace v1 = stigg::sidecar::v1;

template <typename Domain>
constexpr bool Same(Domain domain, int wire) {
  return static_cast<int>(domain) == wire;
}

static_assert(Same(FeatureType::kUnspecified, v1::FEATURE_TYPE_UNSPECIFIED));
static_assert(Same(FeatureType::kBoolean, v1::FEATURE_TYPE_BOOLEAN));
static_assert(Same(FeatureType::kNumber, v1::FEATURE_TYPE_NUMBER));
static_assert(Same(FeatureType::kEnum, v1::FEATURE_TYPE_ENUM));

static_assert(Same(MeterType::kUnspecified, v1::METER_TYPE_UNSPECIFIED));
static_assert(Same(MeterType::kNone, v1::METER_TYPE_NONE));
static_assert(Same(MeterType::kFluctuating, v1::METER_TYPE_FLUCTUATING));
static_assert(Same(MeterType::kIncremental, v1::METER_TYPE_INCREMENTAL));

static_assert(Same(ResetPeriod::kNone, v1::ENTITLEMENT_RESET_PERIOD_UNSPECIFIED));
static_assert(Same(ResetPeriod::kDay, v1::ENTITLEMENT_RESET_PERIOD_DAY));
static_assert(Same(ResetPeriod::kHour, v1::ENTITLEMENT_RESET_PERIOD_HOUR));
static_assert(Same(ResetPeriod::kMonth, v1::ENTITLEMENT_RESET_PERIOD_MONTH));
static_assert(Same(ResetPeriod::kWeek, v1::ENTITLEMENT_RESET_PERIOD_WEEK));
static_assert(Same(ResetPeriod::kYear, v1::ENTITLEMENT_RESET_PERIOD_YEAR));

static_assert(Same(DeniedReason::kNone, v1::ACCESS_DENIED_REASON_UNSPECIFIED));
static_assert(Same(DeniedReason::kUnknown, v1::ACCESS_DENIED_REASON_UNKNOWN));
static_assert(Same(DeniedReason::kCustomerIsArchived, v1::ACCESS_DENIED_REASON_CUSTOMER_IS_ARCHIVED));
static_assert(Same(DeniedReason::kCustomerNotFound, v1::ACCESS_DENIED_REASON_CUSTOMER_NOT_FOUND));
static_assert(Same(DeniedReason::kCustomerResourceNotFound, v1::ACCESS_DENIED_REASON_CUSTOMER_RESOURCE_NOT_FOUND));
static_assert(Same(DeniedReason::kFeatureNotFound, v1::ACCESS_DENIED_REASON_FEATURE_NOT_FOUND));
static_assert(Same(DeniedReason::kNoActiveSubscription, v1::ACCESS_DENIED_REASON_NO_ACTIVE_SUBSCRIPTION));
static_assert(Same(DeniedReason::kNoFeatureEntitlementInSubscription,
                   v1::ACCESS_DENIED_REASON_NO_FEATURE_ENTITLEMENT_IN_SUBSCRIPTION));
static_assert(Same(DeniedReason::kRequestedUsageExceedingLimit,
                   v1::ACCESS_DENIED_REASON_REQUESTED_USAGE_EXCEEDING_LIMIT));
static_assert(Same(DeniedReason::kBudgetExceeded, v1::ACCESS_DENIED_REASON_BUDGET_EXCEEDED));
static_assert(Same(DeniedReason::kRequestedValuesMismatch, v1::ACCESS_DENIED_REASON_REQUESTED_VALUES_MISMATCH));
static_assert(Same(DeniedReason::kFeatureTypeMismatch, v1::ACCESS_DENIED_REASON_FEATURE_TYPE_MISMATCH));
static_assert(Same(DeniedReason::kInsufficientCredits, v1::ACCESS_DENIED_REASON_INSUFFICIENT_CREDITS));
static_assert(Same(DeniedReason::kRevoked, v1::ACCESS_DENIED_REASON_REVOKED));
static_assert(Same(DeniedReason::kEntitlementNotFound, v1::ACCESS_DENIED_REASON_ENTITLEMENT_NOT_FOUND));

}  // namespace
}  // namespace sidecar
