#include "adapters/json/entitlements_codec.h"

#include <string>
#include <utility>

#include "text/text.h"

namespace sidecar {
namespace {

DeniedReason ReadReason(JsonObject& object) {
  const std::string* const name = object.Text("accessDeniedReason");
  return name == nullptr ? DeniedReason::kNone : DeniedReasonFromName(*name);
}

/// Keeps the first valid date of the list: the vendor's rule for what orders two lists.
void NoteListDate(JsonObject& element, CustomerEntitlements& out) {
  if (!out.updated_at.has_value()) out.updated_at = element.Date("entitlementUpdatedAt");
}

FeatureDefinition ReadFeatureDefinition(JsonObject& feature) {
  const std::string* const type = feature.Text("featureType");
  const std::string* const meter = feature.Text("meterType");
  return {.id = feature.TextOrEmpty("refId"),
          .type = type == nullptr ? FeatureType::kUnspecified : FeatureTypeFromName(*type),
          .meter = meter == nullptr ? MeterType::kNone : MeterTypeFromName(*meter),
          .units = feature.TextOrEmpty("featureUnits"),
          .units_plural = feature.TextOrEmpty("featureUnitsPlural")};
}

ResetAnchor ReadResetAnchor(JsonObject& element, ResetPeriod period, absl::Status& error) {
  const Json* const config = element.Object("resetPeriodConfiguration");
  if (config == nullptr) return ResetAnchor::kNone;
  JsonObject reader(*config, element.PathOf("resetPeriodConfiguration"), error);
  for (const char* member : {"monthlyAccordingTo", "weeklyAccordingTo", "yearlyAccordingTo"}) {
    if (const std::string* const according_to = reader.Text(member)) {
      return ResetAnchorFromName(period, *according_to);
    }
  }
  return ResetAnchor::kNone;
}

UsagePeriod ReadPeriod(JsonObject& element, absl::Status& error) {
  const std::string* const reset = element.Text("resetPeriod");
  UsagePeriod period;
  if (reset != nullptr) period.reset = ResetPeriodFromName(*reset);
  period.reset_anchor = ReadResetAnchor(element, period.reset, error);
  period.anchor = element.Date("usagePeriodAnchor");
  period.start = element.Date("usagePeriodStart");
  period.end = element.Date("usagePeriodEnd");
  // Answers older than usagePeriodEnd carried nextResetDate alone (docs/protocol.md 7.2).
  if (!period.end.has_value()) period.end = element.Date("nextResetDate");
  return period;
}

std::vector<std::string> ReadEnumValues(JsonObject& element) {
  std::vector<std::string> values;
  const Json* const list = element.Array("enumValues");
  if (list == nullptr) return values;
  values.reserve(list->size());
  for (const Json& value : *list) {
    if (!value.is_string()) {
      element.Fail("enumValues", StrCat("expected strings, got ", JsonTypeName(value)));
      break;
    }
    values.push_back(value.get<std::string>());
  }
  return values;
}

std::optional<CreditRate> ReadCreditRate(JsonObject& element, absl::Status& error) {
  const Json* const rate = element.Object("creditRate");
  if (rate == nullptr) return std::nullopt;
  JsonObject reader(*rate, element.PathOf("creditRate"), error);
  return CreditRate{.amount = reader.Number("amount").value_or(0), .currency_id = reader.TextOrEmpty("currencyId")};
}

/// False when the element has no feature id and is to be left out.
bool ReadFeature(JsonObject& element, absl::Status& error, CustomerEntitlements& out) {
  NoteListDate(element, out);
  const Json* const feature_json = element.Object("feature");
  if (feature_json == nullptr) return false;
  JsonObject feature(*feature_json, element.PathOf("feature"), error);
  FeatureEntitlement entitlement{.feature = ReadFeatureDefinition(feature),
                                 .denied_reason = ReadReason(element),
                                 .usage_limit = element.Number("usageLimit"),
                                 .unlimited = element.Bool("hasUnlimitedUsage").value_or(false),
                                 .soft_limit = element.Bool("hasSoftLimit").value_or(false),
                                 .current_usage = element.Number("currentUsage").value_or(0),
                                 .enum_values = ReadEnumValues(element),
                                 .period = ReadPeriod(element, error),
                                 .credit_rate = ReadCreditRate(element, error),
                                 .valid_until = element.Date("validUntil"),
                                 .usage_updated_at = element.Date("usageUpdatedAt")};
  if (entitlement.feature.id.empty()) return false;
  out.features.push_back(std::move(entitlement));
  return true;
}

CurrencyDefinition ReadCurrency(JsonObject& currency) {
  const auto optional_text = [&](std::string_view name) {
    const std::string* const text = currency.Text(name);
    return text == nullptr ? std::nullopt : std::optional<std::string>(*text);
  };
  CurrencyDefinition definition{.id = currency.TextOrEmpty("currencyId"),
                                .display_name = currency.TextOrEmpty("displayName"),
                                .description = optional_text("description"),
                                .unit_singular = optional_text("unitSingular"),
                                .unit_plural = optional_text("unitPlural")};
  if (const Json* const extra = currency.Object("additionalMetaData")) {
    definition.additional_meta_data_json = Dump(*extra);
  }
  return definition;
}

bool ReadCredit(JsonObject& element, absl::Status& error, CustomerEntitlements& out) {
  NoteListDate(element, out);
  const Json* const currency_json = element.Object("currency");
  if (currency_json == nullptr) return false;
  JsonObject currency(*currency_json, element.PathOf("currency"), error);
  CreditEntitlement entitlement{.currency = ReadCurrency(currency),
                                .denied_reason = ReadReason(element),
                                .usage_limit = element.Number("usageLimit").value_or(0),
                                .current_usage = element.Number("currentUsage").value_or(0),
                                .soft_limit = element.Bool("hasSoftLimit").value_or(false),
                                .usage_period_end = element.Date("usagePeriodEnd"),
                                .valid_until = element.Date("validUntil"),
                                .usage_updated_at = element.Date("usageUpdatedAt")};
  if (entitlement.currency.id.empty()) return false;
  out.credits.push_back(std::move(entitlement));
  return true;
}

bool ReadElement(JsonObject& element, absl::Status& error, CustomerEntitlements& out) {
  const std::string* const type = element.Text("__typename");
  if (type != nullptr && *type == "CreditEntitlement") return ReadCredit(element, error, out);
  if (type == nullptr || *type == "FeatureEntitlement" || *type == "Entitlement") {
    return ReadFeature(element, error, out);
  }
  return false;
}

void ReadList(const Json& list, const std::string& path, absl::Status& error, DecodedEntitlements& out) {
  out.entitlements.features.reserve(list.size());
  for (size_t i = 0; i < list.size() && error.ok(); ++i) {
    JsonObject element(list[i], StrCat(path, "[", i, "]"), error);
    if (!ReadElement(element, error, out.entitlements)) ++out.skipped;
  }
}

}  // namespace

absl::StatusOr<DecodedEntitlements> DecodeEntitlementsV1(const Json& data) {
  absl::Status error;
  DecodedEntitlements decoded;
  JsonObject reader(data, "data", error);
  const Json* const list = reader.Array("entitlements");
  if (list == nullptr) {
    reader.Fail("entitlements", "expected an array, got none");
    return error;
  }
  ReadList(*list, reader.PathOf("entitlements"), error, decoded);
  if (!error.ok()) return error;
  if (list->empty()) decoded.entitlements.denied_reason = DeniedReason::kCustomerNotFound;
  return decoded;
}

absl::StatusOr<DecodedEntitlements> DecodeEntitlementsV2(const Json& data) {
  absl::Status error;
  DecodedEntitlements decoded;
  JsonObject reader(data, "data", error);
  const Json* const state_json = reader.Object("entitlementsState");
  if (state_json == nullptr) {
    reader.Fail("entitlementsState", "expected an object, got none");
    return error;
  }
  JsonObject state(*state_json, reader.PathOf("entitlementsState"), error);
  decoded.entitlements.denied_reason = ReadReason(state);
  const Json* const list = state.Array("entitlementsV2");
  if (list == nullptr) {
    state.Fail("entitlementsV2", "expected an array, got none");
  } else {
    ReadList(*list, state.PathOf("entitlementsV2"), error, decoded);
  }
  if (!error.ok()) return error;
  return decoded;
}

}  // namespace sidecar
