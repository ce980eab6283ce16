#include "adapters/redis/redis_codec.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "adapters/json/entitlements_codec.h"
#include "adapters/json/json.h"
#include "text/text.h"

namespace sidecar {
namespace {

/// Whole numbers without a fraction, as the vendor's engine writes them.
Json Number(double value) {
  constexpr double kExact = 9'007'199'254'740'992;
  if (std::trunc(value) == value && std::abs(value) < kExact) return static_cast<int64_t>(value);
  return value;
}

void PutDate(Json& object, const char* name, std::optional<WallTime> date) {
  if (date.has_value()) object[name] = ToEpochMs(*date);
}

void PutReason(Json& object, DeniedReason reason) {
  if (reason != DeniedReason::kNone) object["accessDeniedReason"] = Name(reason);
}

struct AnchorName {
  ResetAnchor anchor;
  const char* type;
  const char* member;
  const char* value;
};
constexpr AnchorName kAnchors[] = {
    {ResetAnchor::kMonthSubscriptionStart, "MonthlyResetPeriodConfig", "monthlyAccordingTo", "SubscriptionStart"},
    {ResetAnchor::kMonthStartOfTheMonth, "MonthlyResetPeriodConfig", "monthlyAccordingTo", "StartOfTheMonth"},
    {ResetAnchor::kWeekSubscriptionStart, "WeeklyResetPeriodConfig", "weeklyAccordingTo", "SubscriptionStart"},
    {ResetAnchor::kWeekEverySunday, "WeeklyResetPeriodConfig", "weeklyAccordingTo", "EverySunday"},
    {ResetAnchor::kWeekEveryMonday, "WeeklyResetPeriodConfig", "weeklyAccordingTo", "EveryMonday"},
    {ResetAnchor::kWeekEveryTuesday, "WeeklyResetPeriodConfig", "weeklyAccordingTo", "EveryTuesday"},
    {ResetAnchor::kWeekEveryWednesday, "WeeklyResetPeriodConfig", "weeklyAccordingTo", "EveryWednesday"},
    {ResetAnchor::kWeekEveryThursday, "WeeklyResetPeriodConfig", "weeklyAccordingTo", "EveryThursday"},
    {ResetAnchor::kWeekEveryFriday, "WeeklyResetPeriodConfig", "weeklyAccordingTo", "EveryFriday"},
    {ResetAnchor::kWeekEverySaturday, "WeeklyResetPeriodConfig", "weeklyAccordingTo", "EverySaturday"},
    {ResetAnchor::kYearSubscriptionStart, "YearlyResetPeriodConfig", "yearlyAccordingTo", "SubscriptionStart"},
};

Json EncodeAnchor(ResetAnchor anchor) {
  for (const AnchorName& each : kAnchors) {
    if (each.anchor == anchor) return {{"__typename", each.type}, {each.member, each.value}};
  }
  return nullptr;
}

Json EncodeFeature(EntityKeyView key, const FeatureEntitlement& feature) {
  Json entitlement;
  entitlement["feature"] = {{"id", feature.feature.id},
                            {"featureType", Name(feature.feature.type)},
                            {"meterType", Name(feature.feature.meter)},
                            {"units", feature.feature.units},
                            {"unitsPlural", feature.feature.units_plural}};
  if (!key.resource_id.empty()) entitlement["resourceId"] = key.resource_id;
  entitlement["usageLimit"] = feature.usage_limit.has_value() ? Number(*feature.usage_limit) : Json(nullptr);
  entitlement["hasUnlimitedUsage"] = feature.unlimited;
  entitlement["hasSoftLimit"] = feature.soft_limit;
  PutReason(entitlement, feature.denied_reason);
  entitlement["enumValues"] = feature.enum_values;
  PutDate(entitlement, "validUntil", feature.valid_until);
  if (feature.credit_rate.has_value()) {
    entitlement["creditRate"] = {{"amount", Number(feature.credit_rate->amount)},
                                 {"currencyId", feature.credit_rate->currency_id}};
  }
  Json usage;
  const bool resets = feature.period.reset != ResetPeriod::kNone;
  usage["resetPeriod"] = resets ? Json(Name(feature.period.reset)) : Json(nullptr);
  usage["resetPeriodConfiguration"] = EncodeAnchor(feature.period.reset_anchor);
  usage["currentUsage"] = Number(feature.current_usage);
  PutDate(usage, "usagePeriodAnchor", feature.period.anchor);
  PutDate(usage, "usagePeriodStart", feature.period.start);
  PutDate(usage, "usagePeriodEnd", feature.period.end);
  return {{"calculatedEntitlement", std::move(entitlement)}, {"featureUsage", std::move(usage)}};
}

/// Copies a member, under another name.
void Copy(const Json& from, const char* name, Json& to, const char* as) {
  const auto found = from.find(name);
  if (found == from.end()) return;
  Json value = *found;  // `to` may be `from`, and may move when it grows
  to[as] = std::move(value);
}

/// An entry of either layout in the shape of upstream's answers, so that one decoder reads all.
Json ToUpstreamShape(const Json& entry) {
  Json element = Json::object();
  const auto calculated = entry.find("calculatedEntitlement");
  if (calculated == entry.end() || !calculated->is_object()) return element;
  element = *calculated;
  for (const char* const name : {"usageData", "featureUsage"}) {
    const auto usage = entry.find(name);
    if (usage == entry.end() || !usage->is_object()) continue;
    for (const auto& [member, value] : usage->items()) {
      // The new layout keeps some of these in calculatedEntitlement.
      if (!value.is_null() || !element.contains(member)) element[member] = value;
    }
    Copy(*usage, "updatedAt", element, "usageUpdatedAt");
    break;
  }
  if (const auto feature = element.find("feature"); feature != element.end() && feature->is_object()) {
    Copy(*feature, "id", *feature, "refId");
    Copy(*feature, "units", *feature, "featureUnits");
    Copy(*feature, "unitsPlural", *feature, "featureUnitsPlural");
    element["__typename"] = "FeatureEntitlement";
  } else if (element.contains("currency")) {
    element["__typename"] = "CreditEntitlement";
  }
  element.erase("type");
  return element;
}

Json EncodeCredit(const CreditEntitlement& credit) {
  Json currency = {{"currencyId", credit.currency.id}, {"displayName", credit.currency.display_name}};
  const auto put = [&](const char* name, const std::optional<std::string>& text) {
    if (text.has_value()) currency[name] = *text;
  };
  put("description", credit.currency.description);
  put("unitSingular", credit.currency.unit_singular);
  put("unitPlural", credit.currency.unit_plural);
  if (!credit.currency.additional_meta_data_json.empty()) {
    if (absl::StatusOr<Json> extra = ParseJson(credit.currency.additional_meta_data_json); extra.ok()) {
      currency["additionalMetaData"] = *std::move(extra);
    }
  }
  Json element = {{"__typename", "CreditEntitlement"}, {"currency", std::move(currency)}};
  PutReason(element, credit.denied_reason);
  element["usageLimit"] = Number(credit.usage_limit);
  element["currentUsage"] = Number(credit.current_usage);
  element["hasSoftLimit"] = credit.soft_limit;
  PutDate(element, "usagePeriodEnd", credit.usage_period_end);
  PutDate(element, "validUntil", credit.valid_until);
  PutDate(element, "usageUpdatedAt", credit.usage_updated_at);
  return element;
}

Json EncodeChange(const CreditChange& change) {
  Json out = {{"at", change.at_ms}, {"currencyId", change.currency_id()}};
  if (const auto* const balance = std::get_if<BalancePush>(&change.push)) {
    out["balance"] = Number(balance->balance);
    PutDate(out, "validUntil", balance->valid_until);
  } else {
    const auto& usage = std::get<UsagePush>(change.push);
    out["currentUsage"] = Number(usage.current_usage);
    PutDate(out, "usagePeriodStart", usage.period_start);
    PutDate(out, "usagePeriodEnd", usage.period_end);
    PutDate(out, "updatedAt", usage.updated_at);
  }
  return out;
}

CreditChange DecodeChange(EntityKeyView key, JsonObject& object) {
  CreditChange change{.at_ms = static_cast<int64_t>(object.Number("at").value_or(0))};
  std::string currency = object.TextOrEmpty("currencyId");
  if (object.Has("balance")) {
    change.push = BalancePush{.key = EntityKey(key),
                              .currency_id = std::move(currency),
                              .balance = object.Number("balance").value_or(0),
                              .valid_until = object.Date("validUntil")};
  } else {
    change.push = UsagePush{.key = EntityKey(key),
                            .id = std::move(currency),
                            .credit = true,
                            .current_usage = object.Number("currentUsage").value_or(0),
                            .period_start = object.Date("usagePeriodStart"),
                            .period_end = object.Date("usagePeriodEnd"),
                            .updated_at = object.Date("updatedAt")};
  }
  return change;
}

std::optional<int64_t> TakeNumber(std::string_view& text) {
  const size_t space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const std::optional<int64_t> number = ParseNumber<int64_t>(text.substr(0, space));
  text.remove_prefix(space + 1);
  return number;
}

}  // namespace

std::string EncodeList(EntityKeyView key, const CustomerEntitlements& value) {
  Json list = Json::object();
  for (const FeatureEntitlement& feature : value.features) list[feature.feature.id] = EncodeFeature(key, feature);
  return Dump(list);
}

std::string EncodeUsage(double current, std::optional<WallTime> start, std::optional<WallTime> end) {
  Json usage = {{"currentUsage", Number(current)}};
  PutDate(usage, "usagePeriodStart", start);
  PutDate(usage, "usagePeriodEnd", end);
  return Dump(usage);
}

std::string EncodeMetadata(DeniedReason reason) {
  Json metadata = Json::object();
  metadata["accessDeniedReason"] = reason == DeniedReason::kNone ? Json(nullptr) : Json(Name(reason));
  return Dump(metadata);
}

absl::StatusOr<CustomerEntitlements> DecodeList(std::string_view text) {
  absl::StatusOr<Json> json = ParseJson(text);
  if (!json.ok()) return json.status();
  if (!json->is_object()) return InvalidArgument("expected an object, got ", JsonTypeName(*json));
  Json elements = Json::array();
  for (const auto& [name, entry] : json->items()) {
    if (!entry.is_object()) return InvalidArgument(name, ": expected an object, got ", JsonTypeName(entry));
    elements.push_back(ToUpstreamShape(entry));
  }
  const bool empty = elements.empty();
  absl::StatusOr<DecodedEntitlements> decoded = DecodeEntitlementsV1({{"entitlements", std::move(elements)}});
  if (!decoded.ok()) return decoded.status();
  // Entries without an id, and nothing else: not a list of nothing.
  if (!empty && decoded->entitlements.empty()) return InvalidArgument("no entry names a feature or a currency");
  return std::move(decoded->entitlements);
}

absl::Status DecodeUsage(std::string_view text, FeatureEntitlement& feature) {
  const absl::StatusOr<Json> json = ParseJson(text);
  if (!json.ok()) return json.status();
  absl::Status error;
  JsonObject usage(*json, "usage", error);
  const std::optional<double> current = usage.Number("currentUsage");
  if (!current.has_value()) usage.Fail("currentUsage", "expected a number, got none");
  std::optional<WallTime> end = usage.Date("usagePeriodEnd");
  if (!end.has_value()) end = usage.Date("nextResetDate");  // items of old
  if (!error.ok()) return error;
  feature.current_usage = *current;
  feature.period.start = usage.Date("usagePeriodStart");
  feature.period.end = end;
  return absl::OkStatus();
}

absl::StatusOr<DeniedReason> DecodeMetadata(std::string_view text) {
  const absl::StatusOr<Json> json = ParseJson(text);
  if (!json.ok()) return json.status();
  absl::Status error;
  JsonObject metadata(*json, "metadata", error);
  const std::string* const reason = metadata.Text("accessDeniedReason");
  if (!error.ok()) return error;
  return reason == nullptr ? DeniedReason::kNone : DeniedReasonFromName(*reason);
}

bool HasUsageKey(const FeatureEntitlement& feature) {
  return KindOf(feature.feature.type, feature.feature.meter) == EntitlementKind::kMetered;
}

const std::string& CreditChange::currency_id() const {
  if (const auto* const balance = std::get_if<BalancePush>(&push)) return balance->currency_id;
  return std::get<UsagePush>(push).id;
}

void SiblingValue::Add(CreditChange change) {
  for (CreditChange& held : changes) {
    if (held.push.index() != change.push.index() || held.currency_id() != change.currency_id()) continue;
    const auto* const before = std::get_if<UsagePush>(&held.push);
    const auto* const after = std::get_if<UsagePush>(&change.push);
    const bool older = before != nullptr && before->updated_at.has_value() && after->updated_at.has_value() &&
                       *after->updated_at < *before->updated_at;
    if (!older) held = std::move(change);
    return;
  }
  changes.push_back(std::move(change));
}

int64_t SiblingValue::newest_change_ms() const {
  int64_t newest = 0;
  for (const CreditChange& change : changes) newest = std::max(newest, change.at_ms);
  return newest;
}

std::string EncodeSibling(const SiblingValue& value) {
  Json credits = Json::array();
  for (const CreditEntitlement& credit : value.credits) credits.push_back(EncodeCredit(credit));
  Json changes = Json::array();
  for (const CreditChange& change : value.changes) changes.push_back(EncodeChange(change));
  return StrCat(value.as_of_ms, " ", value.list_ms, " ", value.newest_change_ms(), " ",
                Dump({{"credits", std::move(credits)}, {"changes", std::move(changes)}}));
}

absl::StatusOr<SiblingValue> DecodeSibling(EntityKeyView key, std::string_view text) {
  const std::optional<int64_t> as_of = TakeNumber(text);
  const std::optional<int64_t> list = TakeNumber(text);
  const std::optional<int64_t> changed = TakeNumber(text);
  if (!as_of.has_value() || !list.has_value() || !changed.has_value()) {
    return InvalidArgument("expected three numbers and an object");
  }
  const absl::StatusOr<Json> json = ParseJson(text);
  if (!json.ok()) return json.status();
  absl::Status error;
  JsonObject object(*json, "sibling", error);
  SiblingValue value{.as_of_ms = *as_of, .list_ms = *list};
  if (const Json* const credits = object.Array("credits"); credits != nullptr && !credits->empty()) {
    absl::StatusOr<DecodedEntitlements> decoded = DecodeEntitlementsV1({{"entitlements", *credits}});
    if (!decoded.ok()) return decoded.status();
    value.credits = std::move(decoded->entitlements.credits);
  }
  if (const Json* const changes = object.Array("changes")) {
    for (const Json& change : *changes) {
      JsonObject reader(change, "change", error);
      value.changes.push_back(DecodeChange(key, reader));
    }
  }
  if (!error.ok()) return error;
  return value;
}

}  // namespace sidecar
