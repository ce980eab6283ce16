#include "admin/record_json.h"

namespace sidecar {
namespace {

void PutDate(Json& object, const char* name, std::optional<WallTime> date) {
  if (date.has_value()) object[name] = FormatDate(*date);
}

void PutReason(Json& object, DeniedReason reason) {
  if (reason != DeniedReason::kNone) object["accessDeniedReason"] = Name(reason);
}

Json FeatureJson(const FeatureEntitlement& feature) {
  Json out = {{"id", feature.feature.id}, {"kind", Name(KindOf(feature.feature.type, feature.feature.meter))}};
  PutReason(out, feature.denied_reason);
  if (feature.usage_limit.has_value()) out["usageLimit"] = *feature.usage_limit;
  out["isUnlimited"] = feature.unlimited;
  out["hasSoftLimit"] = feature.soft_limit;
  out["currentUsage"] = feature.current_usage;
  if (!feature.enum_values.empty()) out["enumValues"] = feature.enum_values;
  if (feature.period.reset != ResetPeriod::kNone) out["resetPeriod"] = Name(feature.period.reset);
  PutDate(out, "usagePeriodAnchor", feature.period.anchor);
  PutDate(out, "usagePeriodStart", feature.period.start);
  PutDate(out, "usagePeriodEnd", feature.period.end);
  if (feature.credit_rate.has_value()) {
    out["creditRate"] = {{"amount", feature.credit_rate->amount}, {"currencyId", feature.credit_rate->currency_id}};
  }
  PutDate(out, "validUntil", feature.valid_until);
  PutDate(out, "usageUpdatedAt", feature.usage_updated_at);
  return out;
}

Json CreditJson(const CreditEntitlement& credit) {
  Json out = {{"currencyId", credit.currency.id}};
  PutReason(out, credit.denied_reason);
  out["usageLimit"] = credit.usage_limit;
  out["currentUsage"] = credit.current_usage;
  out["hasSoftLimit"] = credit.soft_limit;
  PutDate(out, "usagePeriodEnd", credit.usage_period_end);
  PutDate(out, "validUntil", credit.valid_until);
  PutDate(out, "usageUpdatedAt", credit.usage_updated_at);
  return out;
}

}  // namespace

Json RecordJson(const CustomerEntitlements& value) {
  Json out = Json::object();
  PutReason(out, value.denied_reason);
  PutDate(out, "updatedAt", value.updated_at);
  out["features"] = Json::array();
  for (const FeatureEntitlement& feature : value.features) out["features"].push_back(FeatureJson(feature));
  out["credits"] = Json::array();
  for (const CreditEntitlement& credit : value.credits) out["credits"].push_back(CreditJson(credit));
  return out;
}

}  // namespace sidecar
