// One entitlement check, from what is known to the answer: which rule applies when the
// customer, the feature or the type is not what was asked for, and what a fallback answers.
// Pure. Source: docs/protocol.md sections 4.2, 4.3, 5 and 13.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "domain/evaluate.h"
#include "domain/fallback.h"
#include "domain/views.h"

namespace sidecar {

/// Which answer the caller expects.
enum class CheckForm : uint8_t {
  kBoolean,  ///< the typed getters: a feature of another type is a mismatch
  kNumeric,
  kMetered,
  kEnum,
  kGeneric,  ///< GetEntitlement: any type; a missing feature answers the fallback
  kFeature,  ///< GetEntitlementV2 by feature_id: any type; a missing feature is an answer
  kCredit,   ///< GetEntitlementV2 by currency_id
};

struct Check {
  CheckForm form = CheckForm::kGeneric;
  std::string_view id;  ///< feature id, or currency id for kCredit
  Ask ask;
  bool requested_usage_given = false;
  const FallbackValue* per_call_fallback = nullptr;  ///< nullptr: the call has none
  const FallbackTable* configured = nullptr;         ///< nullptr: there are none

  /// The per-call fallback if given, else the configured one of the feature, else nullptr.
  /// Credits have no configured ones. Looked up only when it is needed: not on a hit.
  const FallbackValue* fallback() const {
    if (per_call_fallback != nullptr || configured == nullptr || form == CheckForm::kCredit) return per_call_fallback;
    return configured->Find(id);
  }
};

/// What the record of the customer says of the thing asked for.
struct Facts {
  bool record_empty = false;
  DeniedReason record_reason = DeniedReason::kNone;  ///< why the record is empty, if known
  const FeatureView* feature = nullptr;              ///< nullptr: not in the record
  const CreditView* credit = nullptr;
};

struct CheckAnswer {
  bool has_access = false;
  bool is_fallback = false;
  DeniedReason reason = DeniedReason::kNone;  ///< kNone = field unset
  double requested_usage = 0;

  // The body: at most one of these. With none, the body is the empty entitlement of `kind`
  // (or no body, when kind is kUnknown and is_credit is false).
  const FeatureView* feature = nullptr;
  const CreditView* credit = nullptr;
  const FallbackValue* fallback = nullptr;

  EntitlementKind kind = EntitlementKind::kUnknown;
  bool is_credit = false;
  UsageWindow usage;  ///< of a metered `feature`, rolled over to now
  /// Feature of a `fallback` in a list, where the question does not name it.
  std::string_view listed_id;
};

/// The answer from what is known.
CheckAnswer Decide(const Check& check, const Facts& facts, WallTime now);

/// The answer when nothing is known (upstream failed and no record is held).
CheckAnswer AnswerFromFallback(const Check& check);

/// The answer for one entry of a list: nothing requested.
CheckAnswer DecideListed(const FeatureView& feature, WallTime now);
CheckAnswer DecideListed(const CreditView& credit);
/// The answer for one configured fallback in a list (section 5.3, 13.9): of its own kind.
CheckAnswer ListedFallback(std::string_view feature_id, const FallbackValue& fallback);

/// Whether GetEntitlements lists the feature: entries that are denied by a standing reason
/// and those of an unknown type are left out, a metered entry over its limit stays
/// (section 13.6, 13.12).
bool IsListed(const FeatureView& feature);

/// Whether the data itself says that it is over (section 13.13). `fetched_at`: when upstream
/// last gave the record; an end that had passed by then is upstream's own statement and
/// does not make the record unusable.
bool IsExpired(std::optional<WallTime> valid_until, WallTime fetched_at, WallTime now);

}  // namespace sidecar
