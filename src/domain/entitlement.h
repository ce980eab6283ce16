// What upstream says a customer is entitled to, as plain owned values: the form in
// which codecs hand it over and the cache takes it in. What is kept is the record,
// never a verdict (design rule; docs/protocol.md section 4.1).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "domain/time.h"
#include "domain/types.h"

namespace sidecar {

/// What is true of a feature for every customer.
struct FeatureDefinition {
  std::string id;
  FeatureType type = FeatureType::kUnspecified;
  MeterType meter = MeterType::kNone;
  std::string units;
  std::string units_plural;

  friend bool operator==(const FeatureDefinition&, const FeatureDefinition&) = default;

  template <typename H>
  friend H AbslHashValue(H h, const FeatureDefinition& d) {
    return H::combine(std::move(h), d.id, d.type, d.meter, d.units, d.units_plural);
  }
};

/// What is true of a credit currency for every customer.
struct CurrencyDefinition {
  std::string id;
  std::string display_name;
  std::optional<std::string> description;
  std::optional<std::string> unit_singular;
  std::optional<std::string> unit_plural;
  /// The JSON text of an object, or empty when upstream sent none.
  std::string additional_meta_data_json;

  friend bool operator==(const CurrencyDefinition&, const CurrencyDefinition&) = default;

  template <typename H>
  friend H AbslHashValue(H h, const CurrencyDefinition& d) {
    return H::combine(std::move(h), d.id, d.display_name, d.description, d.unit_singular, d.unit_plural,
                      d.additional_meta_data_json);
  }
};

/// When usage is counted from and until. Each instant may be absent.
struct UsagePeriod {
  ResetPeriod reset = ResetPeriod::kNone;
  ResetAnchor reset_anchor = ResetAnchor::kNone;
  std::optional<WallTime> anchor;
  std::optional<WallTime> start;
  std::optional<WallTime> end;

  friend bool operator==(const UsagePeriod&, const UsagePeriod&) = default;
};

/// Use of the feature is paid for from a credit balance.
struct CreditRate {
  double amount = 0;
  std::string currency_id;

  friend bool operator==(const CreditRate&, const CreditRate&) = default;
};

struct FeatureEntitlement {
  FeatureDefinition feature;
  DeniedReason denied_reason = DeniedReason::kNone;  ///< as upstream gave it
  std::optional<double> usage_limit;                 ///< absent and unlimited are different things
  bool unlimited = false;
  bool soft_limit = false;
  double current_usage = 0;
  std::vector<std::string> enum_values;
  UsagePeriod period;
  std::optional<CreditRate> credit_rate;
  std::optional<WallTime> valid_until;
  std::optional<WallTime> usage_updated_at;

  friend bool operator==(const FeatureEntitlement&, const FeatureEntitlement&) = default;
};

struct CreditEntitlement {
  CurrencyDefinition currency;
  DeniedReason denied_reason = DeniedReason::kNone;
  double usage_limit = 0;
  double current_usage = 0;
  bool soft_limit = false;
  std::optional<WallTime> usage_period_end;
  std::optional<WallTime> valid_until;
  std::optional<WallTime> usage_updated_at;

  friend bool operator==(const CreditEntitlement&, const CreditEntitlement&) = default;
};

/// Everything known of one customer or resource, in upstream's order.
struct CustomerEntitlements {
  /// Why the list is empty, when upstream says so; kNone otherwise.
  DeniedReason denied_reason = DeniedReason::kNone;
  /// First valid `entitlementUpdatedAt` of the list: what orders two lists
  /// (docs/protocol.md section 7.5).
  std::optional<WallTime> updated_at;
  std::vector<FeatureEntitlement> features;
  std::vector<CreditEntitlement> credits;

  bool empty() const { return features.empty() && credits.empty(); }

  friend bool operator==(const CustomerEntitlements&, const CustomerEntitlements&) = default;
};

}  // namespace sidecar
