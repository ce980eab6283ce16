// Read-only views of one stored entitlement: all that a rule may look at. They point
// into a record and are valid as long as it is.
#pragma once

#include <optional>
#include <string_view>

#include "absl/container/inlined_vector.h"
#include "domain/entitlement.h"

namespace sidecar {

/// State of the credit currency that pays for a feature.
struct CreditBalance {
  double remaining = 0;
  bool soft_limit = false;
};

struct FeatureView {
  std::string_view id;
  FeatureType type = FeatureType::kUnspecified;
  MeterType meter = MeterType::kNone;
  /// The feature's definition as the service layer encodes it; opaque to the domain.
  std::string_view encoded_definition;
  DeniedReason denied_reason = DeniedReason::kNone;
  bool unlimited = false;
  bool soft_limit = false;
  std::optional<double> usage_limit;
  double current_usage = 0;
  UsagePeriod period;
  std::optional<WallTime> valid_until;
  absl::InlinedVector<std::string_view, 8> enum_values;
  /// Set when the feature has a credit rate whose currency is in the same record.
  std::optional<CreditBalance> credit;

  EntitlementKind kind() const { return KindOf(type, meter); }
};

struct CreditView {
  std::string_view id;
  std::string_view encoded_definition;
  DeniedReason denied_reason = DeniedReason::kNone;
  double usage_limit = 0;
  double current_usage = 0;
  bool soft_limit = false;
  std::optional<WallTime> usage_period_end;
  std::optional<WallTime> valid_until;

  double remaining() const { return usage_limit - current_usage; }
};

}  // namespace sidecar
