#include "domain/check.h"

namespace sidecar {
namespace {

/// The kind that a typed getter expects; kUnknown for those that take any.
EntitlementKind ExpectedKind(CheckForm form) {
  switch (form) {
    case CheckForm::kBoolean:
      return EntitlementKind::kBoolean;
    case CheckForm::kNumeric:
      return EntitlementKind::kNumeric;
    case CheckForm::kMetered:
      return EntitlementKind::kMetered;
    case CheckForm::kEnum:
      return EntitlementKind::kEnum;
    case CheckForm::kGeneric:
    case CheckForm::kFeature:
    case CheckForm::kCredit:
      break;
  }
  return EntitlementKind::kUnknown;
}

/// Why a thing that is not in the record is denied.
DeniedReason MissingReason(const Facts& facts, CheckForm form) {
  if (facts.record_empty && facts.record_reason != DeniedReason::kNone) return facts.record_reason;
  return form == CheckForm::kCredit ? DeniedReason::kEntitlementNotFound
                                    : DeniedReason::kNoFeatureEntitlementInSubscription;
}

CheckAnswer AnswerMissing(const Check& check, const Facts& facts) {
  const DeniedReason reason = MissingReason(facts, check.form);
  if (check.form == CheckForm::kGeneric) {
    CheckAnswer answer = AnswerFromFallback(check);
    if (answer.fallback == nullptr) answer.reason = reason;  // section 13.10
    return answer;
  }
  return {.reason = reason, .requested_usage = check.ask.requested_usage, .kind = ExpectedKind(check.form)};
}

CheckAnswer DecideFeature(const FeatureView& feature, const Ask& ask, WallTime now) {
  CheckAnswer answer{.requested_usage = ask.requested_usage, .feature = &feature, .kind = feature.kind()};
  if (answer.kind == EntitlementKind::kMetered) answer.usage = UsageAt(feature.period, feature.current_usage, now);
  const Verdict verdict = Evaluate(feature, answer.usage, ask);
  answer.has_access = verdict.has_access;
  answer.reason = verdict.reason;
  return answer;
}

}  // namespace

CheckAnswer Decide(const Check& check, const Facts& facts, WallTime now) {
  if (check.form == CheckForm::kCredit) {
    return facts.credit == nullptr ? AnswerMissing(check, facts) : DecideListed(*facts.credit);
  }
  if (facts.feature == nullptr) return AnswerMissing(check, facts);

  const FeatureView& feature = *facts.feature;
  const EntitlementKind expected = ExpectedKind(check.form);
  if (expected != EntitlementKind::kUnknown && feature.kind() != expected) {
    CheckAnswer answer = AnswerFromFallback(check);
    answer.reason = DeniedReason::kFeatureTypeMismatch;
    return answer;
  }

  return DecideFeature(feature, check.ask, now);
}

CheckAnswer AnswerFromFallback(const Check& check) {
  const FallbackValue* const fallback = check.fallback();
  CheckAnswer answer{.is_fallback = true,
                     .reason = DeniedReason::kUnknown,
                     .requested_usage = check.requested_usage_given ? check.ask.requested_usage : 1,
                     .fallback = fallback,
                     .kind = ExpectedKind(check.form),
                     .is_credit = check.form == CheckForm::kCredit && fallback != nullptr};
  if (fallback == nullptr) return answer;
  answer.has_access = fallback->has_access;
  const bool v2 = check.form == CheckForm::kFeature || check.form == CheckForm::kCredit;
  if (v2 && answer.has_access) answer.reason = DeniedReason::kNone;  // section 13.11
  const bool untyped = check.form == CheckForm::kGeneric || check.form == CheckForm::kFeature;
  if (untyped) answer.kind = fallback->kind();
  return answer;
}

CheckAnswer DecideListed(const FeatureView& feature, WallTime now) { return DecideFeature(feature, Ask{}, now); }

CheckAnswer DecideListed(const CreditView& credit) {
  const Verdict verdict = Evaluate(credit);
  return {.has_access = verdict.has_access, .reason = verdict.reason, .credit = &credit, .is_credit = true};
}

CheckAnswer ListedFallback(std::string_view feature_id, const FallbackValue& fallback) {
  return {.has_access = fallback.has_access,
          .is_fallback = true,
          .reason = fallback.has_access ? DeniedReason::kNone : DeniedReason::kUnknown,
          .fallback = &fallback,
          .kind = fallback.kind(),
          .listed_id = feature_id};
}

bool IsListed(const FeatureView& feature) {
  return feature.kind() != EntitlementKind::kUnknown && StandingDenial(feature) == DeniedReason::kNone;
}

bool IsExpired(std::optional<WallTime> valid_until, WallTime fetched_at, WallTime now) {
  return valid_until.has_value() && *valid_until <= now && *valid_until > fetched_at;
}

}  // namespace sidecar
