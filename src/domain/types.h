// Closed vocabularies of the domain. The numbers are those of the wire contract
// (proto/stigg/sidecar/v1/sidecar.proto); service/wire_numbers.cc asserts it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace sidecar {

enum class FeatureType : uint8_t {
  kUnspecified = 0,  ///< upstream sent a type that we do not know
  kBoolean = 1,
  kNumber = 2,
  kEnum = 3,
};

enum class MeterType : uint8_t {
  kUnspecified = 0,  ///< upstream sent a meter that we do not know: decided as metered
  kNone = 1,         ///< also what an absent meter means (docs/protocol.md section 13.12)
  kFluctuating = 2,
  kIncremental = 3,
};

enum class ResetPeriod : uint8_t { kNone = 0, kDay = 1, kHour = 2, kMonth = 3, kWeek = 4, kYear = 5 };

/// How upstream says a period is anchored. Plays no part in any decision
/// (docs/protocol.md section 4.4); kept because the Redis layout carries it.
enum class ResetAnchor : uint8_t {
  kNone = 0,
  kMonthSubscriptionStart,
  kMonthStartOfTheMonth,
  kWeekSubscriptionStart,
  kWeekEverySunday,
  kWeekEveryMonday,
  kWeekEveryTuesday,
  kWeekEveryWednesday,
  kWeekEveryThursday,
  kWeekEveryFriday,
  kWeekEverySaturday,
  kYearSubscriptionStart,
};

/// Why access is denied. kNone means that nothing denies it.
/// Source: docs/protocol.md section 4.6.
enum class DeniedReason : uint8_t {
  kNone = 0,
  kUnknown = 1,
  kCustomerIsArchived = 2,
  kCustomerNotFound = 3,
  kCustomerResourceNotFound = 4,
  kFeatureNotFound = 5,
  kNoActiveSubscription = 6,
  kNoFeatureEntitlementInSubscription = 7,
  kRequestedUsageExceedingLimit = 8,
  kBudgetExceeded = 9,
  kRequestedValuesMismatch = 10,
  kFeatureTypeMismatch = 11,
  kInsufficientCredits = 12,
  kRevoked = 13,
  kEntitlementNotFound = 14,
};

/// What kind of entitlement a feature grants.
enum class EntitlementKind : uint8_t { kUnknown, kBoolean, kNumeric, kMetered, kEnum };

/// Type check of docs/protocol.md sections 4.2 (step 4) and 13.12.
constexpr EntitlementKind KindOf(FeatureType type, MeterType meter) {
  switch (type) {
    case FeatureType::kBoolean:
      return EntitlementKind::kBoolean;
    case FeatureType::kEnum:
      return EntitlementKind::kEnum;
    case FeatureType::kNumber:
      return meter == MeterType::kNone ? EntitlementKind::kNumeric : EntitlementKind::kMetered;
    case FeatureType::kUnspecified:
      break;
  }
  return EntitlementKind::kUnknown;
}

// Names as upstream spells them (docs/protocol.md sections 1.4 and 4.6).
// The *FromName functions return the unspecified value for a name they do not know;
// DeniedReasonFromName returns kUnknown, so that an unknown reason still denies.
FeatureType FeatureTypeFromName(std::string_view name);
MeterType MeterTypeFromName(std::string_view name);
ResetPeriod ResetPeriodFromName(std::string_view name);
ResetAnchor ResetAnchorFromName(ResetPeriod period, std::string_view according_to);
DeniedReason DeniedReasonFromName(std::string_view name);

std::string_view Name(FeatureType type);
std::string_view Name(MeterType meter);
std::string_view Name(ResetPeriod period);
std::string_view Name(DeniedReason reason);
std::string_view Name(EntitlementKind kind);

}  // namespace sidecar
