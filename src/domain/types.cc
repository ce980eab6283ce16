#include "domain/types.h"

#include <array>
#include <utility>

namespace sidecar {
namespace {

template <typename T>
using Named = std::pair<T, std::string_view>;

constexpr std::array<Named<FeatureType>, 3> kFeatureTypes{{
    {FeatureType::kBoolean, "BOOLEAN"},
    {FeatureType::kNumber, "NUMBER"},
    {FeatureType::kEnum, "ENUM"},
}};

constexpr std::array<Named<MeterType>, 3> kMeterTypes{{
    {MeterType::kNone, "None"},
    {MeterType::kFluctuating, "Fluctuating"},
    {MeterType::kIncremental, "Incremental"},
}};

constexpr std::array<Named<ResetPeriod>, 5> kResetPeriods{{
    {ResetPeriod::kDay, "DAY"},
    {ResetPeriod::kHour, "HOUR"},
    {ResetPeriod::kMonth, "MONTH"},
    {ResetPeriod::kWeek, "WEEK"},
    {ResetPeriod::kYear, "YEAR"},
}};

constexpr std::array<Named<DeniedReason>, 14> kDeniedReasons{{
    {DeniedReason::kUnknown, "Unknown"},
    {DeniedReason::kCustomerIsArchived, "CustomerIsArchived"},
    {DeniedReason::kCustomerNotFound, "CustomerNotFound"},
    {DeniedReason::kCustomerResourceNotFound, "CustomerResourceNotFound"},
    {DeniedReason::kFeatureNotFound, "FeatureNotFound"},
    {DeniedReason::kNoActiveSubscription, "NoActiveSubscription"},
    {DeniedReason::kNoFeatureEntitlementInSubscription, "NoFeatureEntitlementInSubscription"},
    {DeniedReason::kRequestedUsageExceedingLimit, "RequestedUsageExceedingLimit"},
    {DeniedReason::kBudgetExceeded, "BudgetExceeded"},
    {DeniedReason::kRequestedValuesMismatch, "RequestedValuesMismatch"},
    {DeniedReason::kFeatureTypeMismatch, "FeatureTypeMismatch"},
    {DeniedReason::kInsufficientCredits, "InsufficientCredits"},
    {DeniedReason::kRevoked, "Revoked"},
    {DeniedReason::kEntitlementNotFound, "EntitlementNotFound"},
}};

constexpr std::array<Named<EntitlementKind>, 4> kKinds{{
    {EntitlementKind::kBoolean, "boolean"},
    {EntitlementKind::kNumeric, "numeric"},
    {EntitlementKind::kMetered, "metered"},
    {EntitlementKind::kEnum, "enum"},
}};

constexpr std::array<std::string_view, 7> kWeekDays{"EverySunday",   "EveryMonday", "EveryTuesday", "EveryWednesday",
                                                    "EveryThursday", "EveryFriday", "EverySaturday"};

template <typename Table, typename T>
T FromName(const Table& table, std::string_view name, T otherwise) {
  for (const auto& [value, known] : table) {
    if (known == name) return value;
  }
  return otherwise;
}

template <typename Table, typename T>
std::string_view NameIn(const Table& table, T value, std::string_view otherwise) {
  for (const auto& [known, name] : table) {
    if (known == value) return name;
  }
  return otherwise;
}

}  // namespace

FeatureType FeatureTypeFromName(std::string_view name) {
  return FromName(kFeatureTypes, name, FeatureType::kUnspecified);
}

MeterType MeterTypeFromName(std::string_view name) { return FromName(kMeterTypes, name, MeterType::kUnspecified); }

ResetPeriod ResetPeriodFromName(std::string_view name) { return FromName(kResetPeriods, name, ResetPeriod::kNone); }

ResetAnchor ResetAnchorFromName(ResetPeriod period, std::string_view according_to) {
  const bool from_start = according_to == "SubscriptionStart";
  switch (period) {
    case ResetPeriod::kMonth:
      if (from_start) return ResetAnchor::kMonthSubscriptionStart;
      if (according_to == "StartOfTheMonth") return ResetAnchor::kMonthStartOfTheMonth;
      break;
    case ResetPeriod::kWeek:
      if (from_start) return ResetAnchor::kWeekSubscriptionStart;
      for (size_t day = 0; day < kWeekDays.size(); ++day) {
        if (kWeekDays[day] == according_to) {
          return static_cast<ResetAnchor>(static_cast<size_t>(ResetAnchor::kWeekEverySunday) + day);
        }
      }
      break;
    case ResetPeriod::kYear:
      if (from_start) return ResetAnchor::kYearSubscriptionStart;
      break;
    default:
      break;
  }
  return ResetAnchor::kNone;
}

DeniedReason DeniedReasonFromName(std::string_view name) {
  return FromName(kDeniedReasons, name, DeniedReason::kUnknown);
}

std::string_view Name(FeatureType type) { return NameIn(kFeatureTypes, type, "UNSPECIFIED"); }
std::string_view Name(MeterType meter) { return NameIn(kMeterTypes, meter, "Unspecified"); }
std::string_view Name(ResetPeriod period) { return NameIn(kResetPeriods, period, ""); }
std::string_view Name(DeniedReason reason) { return NameIn(kDeniedReasons, reason, ""); }
std::string_view Name(EntitlementKind kind) { return NameIn(kKinds, kind, "unknown"); }

}  // namespace sidecar
