#include "core/explanation.h"

#include "text/text.h"

namespace sidecar {
namespace {

std::string Quoted(std::string_view text) { return StrCat("'", text, "'"); }

std::string ListOf(std::span<const std::string_view> texts) {
  std::string out;
  for (const std::string_view text : texts) StrAppend(&out, out.empty() ? "" : ", ", Quoted(text));
  return out.empty() ? "none" : out;
}

void ExplainFallback(const Check& check, Explanation& out) {
  if (out.answer.fallback == nullptr) {
    out.rule = StrCat("nothing is known of the customer, and there is no fallback for ", Quoted(check.id), ": denied");
    out.would_flip = "a fallback in the call or in ENTITLEMENTS_FALLBACK that grants access, or an answer of upstream";
    return;
  }
  out.rule = StrCat("nothing is known of the customer: the ",
                    check.per_call_fallback != nullptr ? "fallback of the call" : "fallback in ENTITLEMENTS_FALLBACK",
                    out.answer.has_access ? " grants access" : " denies access");
  out.would_flip = "an answer of upstream; another fallback";
}

void ExplainMissing(const Check& check, const Facts& facts, Explanation& out) {
  if (facts.record_empty && facts.record_reason != DeniedReason::kNone) {
    out.rule = StrCat("upstream gives the customer nothing at all: ", Name(facts.record_reason));
  } else if (check.form == CheckForm::kCredit) {
    out.rule = StrCat("the customer's record has no credit ", Quoted(check.id));
  } else {
    out.rule = StrCat("the customer's record has no feature ", Quoted(check.id));
  }
  if (out.answer.is_fallback && out.answer.fallback != nullptr) {
    StrAppend(&out.rule, "; this method then answers the fallback");
  }
  out.would_flip = StrCat("a subscription that grants ", Quoted(check.id));
}

/// Where the usage comes from that a metered feature is judged by.
std::string UsageText(const FeatureView& feature, const UsageWindow& usage) {
  if (!usage.rolled) return StrCat("usage ", usage.current_usage);
  return StrCat("usage ", usage.current_usage, " (", feature.current_usage, " until the period ended)");
}

void ExplainMetered(const Check& check, const FeatureView& feature, Explanation& out) {
  const std::string usage = UsageText(feature, out.answer.usage);
  if (feature.unlimited) {
    out.rule = StrCat("metered and unlimited: ", usage, " does not matter");
    out.would_flip = "a plan with a limit";
    return;
  }
  const double limit = feature.usage_limit.value_or(0);
  const std::string limit_text = feature.usage_limit.has_value() ? StrCat(limit) : "0 (none is set)";
  if (feature.soft_limit) {
    out.rule = StrCat("metered with a soft limit: ", usage, " of ", limit_text, ", and going over it is allowed");
    out.would_flip = "a hard limit";
    return;
  }
  const double requested = check.ask.requested_usage;
  const double sum = out.answer.usage.current_usage + requested;
  const double left = limit - out.answer.usage.current_usage;
  out.rule = StrCat("metered: ", usage, " + requested ", requested, " = ", sum, out.answer.has_access ? " <= " : " > ",
                    "limit ", limit_text);
  if (out.answer.has_access) {
    out.would_flip = StrCat("a request of more than ", left, ", or usage above ", limit - requested);
  } else if (left >= 0) {
    out.would_flip = StrCat("a request of at most ", left, ", usage of at most ", limit - requested,
                            ", or a limit of at "
                            "least ",
                            sum);
  } else {
    out.would_flip = StrCat("usage of at most ", limit - requested, ", a limit of at least ", sum, ", or a soft limit");
  }
  if (feature.period.reset != ResetPeriod::kNone && out.answer.usage.end.has_value() && !out.answer.has_access) {
    StrAppend(&out.would_flip, "; the usage period ends at ", ToEpochMs(*out.answer.usage.end), " ms since 1970");
  }
}

void ExplainStanding(const FeatureView& feature, Explanation& out) {
  const bool by_upstream = feature.denied_reason != DeniedReason::kNone &&
                           feature.denied_reason != DeniedReason::kRequestedUsageExceedingLimit;
  if (by_upstream) {
    out.rule = StrCat("upstream denies the feature: ", Name(feature.denied_reason));
    out.would_flip = "upstream taking that back";
    return;
  }
  out.rule = StrCat("the credit that pays for the feature is used up: ", feature.credit->remaining,
                    " remain, and its limit is hard");
  out.would_flip = "more credit";
}

void ExplainEnum(const Check& check, const FeatureView& feature, Explanation& out) {
  const std::string granted = ListOf({feature.enum_values.data(), feature.enum_values.size()});
  if (check.ask.requested_values.empty()) {
    out.rule = StrCat("enum: no value was asked for; granted are ", granted);
    out.would_flip = "asking for a value that is not granted";
    return;
  }
  out.rule = StrCat("enum: asked for ", ListOf(check.ask.requested_values), "; granted are ", granted);
  out.would_flip = out.answer.has_access ? "asking for a value that is not granted" : "asking only for what is granted";
}

void ExplainFeature(const Check& check, const FeatureView& feature, Explanation& out) {
  if (out.answer.reason == DeniedReason::kFeatureTypeMismatch) {
    out.rule = StrCat("the feature is ", Name(feature.kind()), ", and the method is for another kind: the fallback");
    out.would_flip = "the method of its kind";
    return;
  }
  if (StandingDenial(feature) != DeniedReason::kNone) return ExplainStanding(feature, out);
  switch (feature.kind()) {
    case EntitlementKind::kBoolean:
      out.rule = "boolean: what is granted is allowed";
      out.would_flip = "a plan without the feature";
      return;
    case EntitlementKind::kNumeric:
      out.rule = feature.unlimited ? "numeric and unlimited: what is granted is allowed"
                                   : StrCat("numeric with the value ", feature.usage_limit.value_or(0),
                                            ": what is granted is allowed");
      out.would_flip = "a plan without the feature";
      return;
    case EntitlementKind::kMetered:
      return ExplainMetered(check, feature, out);
    case EntitlementKind::kEnum:
      return ExplainEnum(check, feature, out);
    case EntitlementKind::kUnknown:
      out.rule = "the feature is of a type that this version does not know: denied";
      out.would_flip = "a version that knows the type";
      return;
  }
}

void ExplainCredit(const CreditView& credit, Explanation& out) {
  if (credit.denied_reason != DeniedReason::kNone) {
    out.rule = StrCat("upstream denies the credit: ", Name(credit.denied_reason));
    out.would_flip = "upstream taking that back";
    return;
  }
  out.rule = StrCat("credit: limit ", credit.usage_limit, " - usage ", credit.current_usage, " = ", credit.remaining(),
                    credit.remaining() > 0 ? " > 0" : " <= 0",
                    credit.soft_limit ? ", and its limit is soft: allowed in any case" : "");
  out.would_flip = out.answer.has_access
                       ? (credit.soft_limit ? "a hard limit" : StrCat("usage of ", credit.usage_limit, " or more"))
                       : "more credit, or a soft limit";
}

}  // namespace

Explanation Explain(const Check& check, const Facts* facts, WallTime now) {
  Explanation out;
  if (facts == nullptr) {
    out.answer = AnswerFromFallback(check);
    ExplainFallback(check, out);
    return out;
  }
  out.answer = Decide(check, *facts, now);
  if (check.form == CheckForm::kCredit && facts->credit != nullptr) {
    ExplainCredit(*facts->credit, out);
  } else if (check.form != CheckForm::kCredit && facts->feature != nullptr) {
    ExplainFeature(check, *facts->feature, out);
  } else {
    ExplainMissing(check, *facts, out);
  }
  return out;
}

}  // namespace sidecar
