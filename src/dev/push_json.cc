#include "dev/push_json.h"

#include <algorithm>

#include "dev/entitlements_json.h"
#include "dev/json_members.h"

namespace sidecar::dev {
namespace {

Json EpochMsOrNull(std::optional<WallTime> time) { return time.has_value() ? Json(ToEpochMs(*time)) : Json(); }

PushMessage Message(Subscription subscription, Json value) {
  Json data = Json::object();
  data[std::string(RootField(subscription))] = std::move(value);
  Json payload = Json::object();
  payload["data"] = std::move(data);
  return {subscription, std::move(payload)};
}

/// {"__typename", "customerId", "resourceId"}
Json Of(std::string_view type, const EntityKey& key) {
  Json object = Json::object();
  object["__typename"] = type;
  object["customerId"] = key.customer_id;
  object["resourceId"] = key.resource_id.empty() ? Json() : Json(key.resource_id);
  return object;
}

PushMessage UsageV1(const UsagePush& push, const CustomerEntitlements& now) {
  // Dates are epoch milliseconds here, and only here.
  Json usage = Of("UsageMeasurementUpdated", push.key);
  usage["featureId"] = push.id;
  usage["currentUsage"] = push.current_usage;
  usage["usagePeriodStart"] = EpochMsOrNull(push.period_start);
  usage["usagePeriodEnd"] = EpochMsOrNull(push.period_end);
  usage["nextResetDate"] = EpochMsOrNull(push.period_end);

  CustomerEntitlements only{.updated_at = now.updated_at};
  std::copy_if(now.features.begin(), now.features.end(), std::back_inserter(only.features),
               [&](const FeatureEntitlement& feature) { return feature.feature.id == push.id; });
  Json list = EncodeEntitlements(only, push.key.view(), Generation::kV1)["entitlements"];
  Json value = Json::object();
  value["__typename"] = "UsageUpdated";
  value["usage"] = std::move(usage);
  value["entitlement"] = list.empty() ? Json() : std::move(list[0]);
  return Message(Subscription::kUsage, std::move(value));
}

PushMessage UsageV2(const UsagePush& push) {
  Json value = Of("UsageUpdatedV2", push.key);
  value["entitlementReference"] =
      Json{{"__typename", "EntitlementReference"}, {"type", push.credit ? "CREDIT" : "FEATURE"}, {"id", push.id}};
  value["usage"] = Json{{"__typename", "UsageV2"},
                        {"currentUsage", push.current_usage},
                        {"usagePeriodStart", DateOrNull(push.period_start)},
                        {"usagePeriodEnd", DateOrNull(push.period_end)},
                        {"usageUpdatedAt", DateOrNull(push.updated_at)}};
  return Message(Subscription::kUsageV2, std::move(value));
}

Json EncodeCurrency(const CurrencyDefinition& currency) {
  return {{"__typename", "SlimCustomCurrency"},
          {"currencyId", currency.id},
          {"displayName", currency.display_name},
          {"symbol", Json()},
          {"units",
           {{"__typename", "Units"},
            {"singular", OrNull(currency.unit_singular)},
            {"plural", OrNull(currency.unit_plural)}}}};
}

PushMessage Balance(const EntityKey& key, const CreditEntitlement& credit) {
  Json value = Of("CreditBalanceUpdated", key);
  value["currency"] = EncodeCurrency(credit.currency);
  value["currencyId"] = credit.currency.id;
  value["currentBalance"] = credit.usage_limit - credit.current_usage;
  value["totalConsumed"] = credit.current_usage;
  value["totalGranted"] = credit.usage_limit;
  value["validUntil"] = EpochMsOrNull(credit.valid_until);
  return Message(Subscription::kCreditBalance, std::move(value));
}

std::vector<PushMessage> EncodeUsage(const UsagePush& push, const CustomerEntitlements& now) {
  std::vector<PushMessage> messages;
  if (!push.credit) messages.push_back(UsageV1(push, now));
  for (const CreditEntitlement& credit : now.credits) {
    if (push.credit && credit.currency.id == push.id) messages.push_back(Balance(push.key, credit));
  }
  messages.push_back(UsageV2(push));
  return messages;
}

std::vector<PushMessage> EncodeList(const ListPush& push) {
  Json v1 = Of("EntitlementsUpdated", push.key);
  v1["entitlements"] = EncodeEntitlements(push.entitlements, push.key.view(), Generation::kV1)["entitlements"];
  Json state = EncodeEntitlements(push.entitlements, push.key.view(), Generation::kV2)["entitlementsState"];
  Json v2 = Of("EntitlementsUpdatedV2", push.key);
  v2["accessDeniedReason"] = std::move(state["accessDeniedReason"]);
  v2["entitlements"] = std::move(state["entitlementsV2"]);
  std::vector<PushMessage> messages;
  messages.push_back(Message(Subscription::kEntitlements, std::move(v1)));
  messages.push_back(Message(Subscription::kEntitlementsV2, std::move(v2)));
  // V1 lists have no credits: their balances follow.
  for (const CreditEntitlement& credit : push.entitlements.credits) messages.push_back(Balance(push.key, credit));
  return messages;
}

}  // namespace

std::vector<PushMessage> EncodePush(const Push& push, const CustomerEntitlements& now) {
  if (const auto* const usage = std::get_if<UsagePush>(&push)) return EncodeUsage(*usage, now);
  if (const auto* const list = std::get_if<ListPush>(&push)) return EncodeList(*list);
  return {};  // a World says nothing else
}

}  // namespace sidecar::dev
