#include "dev/entitlements_json.h"

#include <utility>

#include "dev/json_members.h"

namespace sidecar::dev {
namespace {

Json ReasonOrNull(DeniedReason reason) {
  return reason == DeniedReason::kNone ? Json() : Json(std::string(Name(reason)));
}

Json ResetConfiguration(ResetPeriod reset) {
  switch (reset) {
    case ResetPeriod::kMonth:
      return {{"__typename", "MonthlyResetPeriodConfig"}, {"monthlyAccordingTo", "SubscriptionStart"}};
    case ResetPeriod::kWeek:
      return {{"__typename", "WeeklyResetPeriodConfig"}, {"weeklyAccordingTo", "SubscriptionStart"}};
    case ResetPeriod::kYear:
      return {{"__typename", "YearlyResetPeriodConfig"}, {"yearlyAccordingTo", "SubscriptionStart"}};
    default:
      return {};
  }
}

Json EncodeFeature(const FeatureEntitlement& entitlement, std::optional<WallTime> updated_at) {
  const FeatureDefinition& feature = entitlement.feature;
  return {{"isGranted", entitlement.denied_reason == DeniedReason::kNone},
          {"accessDeniedReason", ReasonOrNull(entitlement.denied_reason)},
          {"usageLimit", OrNull(entitlement.usage_limit)},
          {"hasUnlimitedUsage", entitlement.unlimited},
          {"hasSoftLimit", entitlement.soft_limit},
          {"currentUsage", entitlement.current_usage},
          {"enumValues", entitlement.enum_values.empty() ? Json() : Json(entitlement.enum_values)},
          {"entitlementUpdatedAt", DateOrNull(updated_at)},
          {"usageUpdatedAt", DateOrNull(entitlement.usage_updated_at)},
          {"usagePeriodAnchor", DateOrNull(entitlement.period.anchor)},
          {"usagePeriodStart", DateOrNull(entitlement.period.start)},
          {"usagePeriodEnd", DateOrNull(entitlement.period.end)},
          {"resetPeriod",
           entitlement.period.reset == ResetPeriod::kNone ? Json() : Json(std::string(Name(entitlement.period.reset)))},
          {"resetPeriodConfiguration", ResetConfiguration(entitlement.period.reset)},
          {"feature",
           {{"__typename", "EntitlementFeature"},
            {"featureType", std::string(Name(feature.type))},
            {"meterType", std::string(Name(feature.meter))},
            {"featureUnits", feature.units},
            {"featureUnitsPlural", feature.units_plural},
            {"description", Json()},
            {"displayName", feature.id},
            {"refId", feature.id},
            {"unitTransformation", Json()}}},
          {"creditRate",
           entitlement.credit_rate.has_value()
               ? Json{{"amount", entitlement.credit_rate->amount}, {"currencyId", entitlement.credit_rate->currency_id}}
               : Json()},
          {"validUntil", DateOrNull(entitlement.valid_until)}};
}

Json EncodeCredit(const CreditEntitlement& credit, std::optional<WallTime> updated_at) {
  return {{"__typename", "CreditEntitlement"},
          {"isGranted", credit.denied_reason == DeniedReason::kNone},
          {"accessDeniedReason", ReasonOrNull(credit.denied_reason)},
          {"usageLimit", credit.usage_limit},
          {"currentUsage", credit.current_usage},
          {"hasSoftLimit", credit.soft_limit},
          {"usageUpdatedAt", DateOrNull(credit.usage_updated_at)},
          {"entitlementUpdatedAt", DateOrNull(updated_at)},
          {"usagePeriodEnd", DateOrNull(credit.usage_period_end)},
          {"validUntil", DateOrNull(credit.valid_until)},
          {"currency",
           {{"__typename", "EntitlementCurrency"},
            {"currencyId", credit.currency.id},
            {"displayName", credit.currency.display_name},
            {"description", OrNull(credit.currency.description)},
            {"unitSingular", OrNull(credit.currency.unit_singular)},
            {"unitPlural", OrNull(credit.currency.unit_plural)},
            {"additionalMetaData", Json()}}}};
}

}  // namespace

Json EncodeEntitlements(const CustomerEntitlements& entitlements, EntityKeyView key, Generation generation) {
  Json list = Json::array();
  for (const FeatureEntitlement& feature : entitlements.features) {
    Json element = Json::object();
    element["__typename"] = generation == Generation::kV2 ? "FeatureEntitlement" : "Entitlement";
    if (generation == Generation::kV1) {
      element["customerId"] = key.customer_id;
      element["resourceId"] = key.resource_id.empty() ? Json() : Json(key.resource_id);
    }
    element.update(EncodeFeature(feature, entitlements.updated_at));
    if (generation == Generation::kV1) {
      element["requestedUsage"] = nullptr;
      element["requestedValues"] = nullptr;
      element["nextResetDate"] = element["usagePeriodEnd"];
    }
    list.push_back(std::move(element));
  }
  if (generation == Generation::kV1) {
    Json data = Json::object();
    data["entitlements"] = std::move(list);
    return data;
  }
  for (const CreditEntitlement& credit : entitlements.credits)
    list.push_back(EncodeCredit(credit, entitlements.updated_at));
  Json state = Json::object();
  state["__typename"] = "EntitlementsState";
  state["entitlements"] = Json::array();
  state["entitlementsV2"] = std::move(list);
  state["accessDeniedReason"] = ReasonOrNull(entitlements.denied_reason);
  Json data = Json::object();
  data["entitlementsState"] = std::move(state);
  return data;
}

Json EncodeReceipt(const UsageReceipt& receipt, Generation generation) {
  Json out = {{"__typename", "UsageMeasurementWithCurrentUsage"},
              {"id", receipt.measurement_id},
              {"featureId", receipt.feature_id},
              {"customerId", receipt.key.customer_id},
              {"resourceId", receipt.key.resource_id.empty() ? Json() : Json(receipt.key.resource_id)},
              {"currentUsage", OrNull(receipt.current_usage)},
              {"usagePeriodStart", DateOrNull(receipt.period_start)},
              {"usagePeriodEnd", DateOrNull(receipt.period_end)},
              {"timestamp", DateOrNull(receipt.timestamp)}};
  if (generation == Generation::kV2) {
    out["credit"] = receipt.credit.has_value() ? Json{{"currencyId", receipt.credit->currency_id},
                                                      {"currentUsage", receipt.credit->current_usage},
                                                      {"usagePeriodEnd", DateOrNull(receipt.credit->usage_period_end)},
                                                      {"timestamp", DateOrNull(receipt.credit->timestamp)}}
                                               : Json();
  }
  return out;
}

}  // namespace sidecar::dev
