#include "domain/evaluate.h"

#include <algorithm>

namespace sidecar {
namespace {

Verdict EvaluateMetered(const FeatureView& feature, const UsageWindow& usage, const Ask& ask) {
  if (feature.unlimited || feature.soft_limit) return Verdict::Granted();
  if (FitsLimit(usage.current_usage, ask.requested_usage, feature.usage_limit)) return Verdict::Granted();
  return Verdict::Denied(DeniedReason::kRequestedUsageExceedingLimit);
}

Verdict EvaluateEnum(const FeatureView& feature, const Ask& ask) {
  const auto& granted = feature.enum_values;
  const bool all_granted = std::all_of(
      ask.requested_values.begin(), ask.requested_values.end(),
      [&](std::string_view wanted) { return std::find(granted.begin(), granted.end(), wanted) != granted.end(); });
  return all_granted ? Verdict::Granted() : Verdict::Denied(DeniedReason::kRequestedValuesMismatch);
}

}  // namespace

DeniedReason StandingDenial(const FeatureView& feature) {
  if (feature.denied_reason != DeniedReason::kNone &&
      feature.denied_reason != DeniedReason::kRequestedUsageExceedingLimit) {
    return feature.denied_reason;
  }
  if (feature.credit.has_value() && feature.credit->remaining <= 0 && !feature.credit->soft_limit) {
    return DeniedReason::kInsufficientCredits;
  }
  return DeniedReason::kNone;
}

bool FitsLimit(double current_usage, double requested_usage, std::optional<double> limit) {
  return current_usage + requested_usage <= limit.value_or(0);
}

Verdict Evaluate(const FeatureView& feature, const UsageWindow& usage, const Ask& ask) {
  if (const DeniedReason denial = StandingDenial(feature); denial != DeniedReason::kNone) {
    return Verdict::Denied(denial);
  }
  switch (feature.kind()) {
    case EntitlementKind::kBoolean:
    case EntitlementKind::kNumeric:
      return Verdict::Granted();
    case EntitlementKind::kMetered:
      return EvaluateMetered(feature, usage, ask);
    case EntitlementKind::kEnum:
      return EvaluateEnum(feature, ask);
    case EntitlementKind::kUnknown:
      break;
  }
  // A type that we do not know cannot be decided; granting would be a guess.
  return Verdict::Denied(DeniedReason::kUnknown);
}

Verdict Evaluate(const CreditView& credit) {
  if (credit.denied_reason != DeniedReason::kNone) return Verdict::Denied(credit.denied_reason);
  if (credit.remaining() > 0 || credit.soft_limit) return Verdict::Granted();
  return Verdict::Denied(DeniedReason::kInsufficientCredits);
}

}  // namespace sidecar
