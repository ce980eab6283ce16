// The rules: from one stored entitlement to yes or no. Pure functions; no clock, no I/O.
// Source of every rule: docs/protocol.md sections 4.2 and 13.
#pragma once

#include <span>
#include <string_view>

#include "domain/usage_period.h"
#include "domain/views.h"

namespace sidecar {

/// What the caller asks beyond "may I": both optional.
struct Ask {
  double requested_usage = 0;  ///< finite, >= 0
  std::span<const std::string_view> requested_values;
};

/// Yes, or no with the reason.
struct Verdict {
  bool has_access = false;
  DeniedReason reason = DeniedReason::kNone;  ///< kNone iff has_access

  static constexpr Verdict Granted() { return {true, DeniedReason::kNone}; }
  static constexpr Verdict Denied(DeniedReason reason) { return {false, reason}; }

  friend bool operator==(const Verdict&, const Verdict&) = default;
};

/// The reason for which upstream (or an exhausted credit) denies the feature whatever is
/// asked; kNone when nothing does. A stored RequestedUsageExceedingLimit is not one: it is
/// recomputed (section 13.2). Credits: section 13.8.
DeniedReason StandingDenial(const FeatureView& feature);

/// current + requested <= limit, an absent limit being 0 (section 4.2 row 8).
bool FitsLimit(double current_usage, double requested_usage, std::optional<double> limit);

/// Verdict on a feature of any kind. `usage` is UsageAt(feature.period, …) for metered
/// features and is not looked at for others.
Verdict Evaluate(const FeatureView& feature, const UsageWindow& usage, const Ask& ask);

/// Verdict on a credit: access iff upstream does not deny it and something remains or the
/// limit is soft (section 13.8).
Verdict Evaluate(const CreditView& credit);

}  // namespace sidecar
