// What the empty servers answer: one metered entitlement, always the same.
#pragma once

#include "stigg/sidecar/v1/sidecar.pb.h"

namespace sidecar::bench {

inline stigg::sidecar::v1::GetMeteredEntitlementResponse ConstantAnswer() {
  namespace v1 = stigg::sidecar::v1;
  v1::GetMeteredEntitlementResponse answer;
  answer.set_has_access(true);
  answer.set_requested_usage(1);
  v1::MeteredEntitlement& metered = *answer.mutable_entitlement();
  metered.set_usage_limit(1000);
  metered.set_current_usage(420);
  metered.set_has_soft_limit(false);
  metered.set_reset_period(v1::ENTITLEMENT_RESET_PERIOD_MONTH);
  metered.mutable_usage_period_anchor()->set_seconds(1'767'225'600);
  metered.mutable_usage_period_start()->set_seconds(1'793'491'200);
  metered.mutable_usage_period_end()->set_seconds(1'796'083'200);
  v1::EntitlementFeature& feature = *metered.mutable_feature();
  feature.set_id("feature-07");
  feature.set_feature_type(v1::FEATURE_TYPE_NUMBER);
  feature.set_meter_type(v1::METER_TYPE_INCREMENTAL);
  feature.set_units("call");
  feature.set_units_plural("calls");
  feature.set_is_metered(true);
  return answer;
}

}  // namespace sidecar::bench
