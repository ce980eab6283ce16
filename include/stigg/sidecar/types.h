// What checks answer and reports say: plain values, no protobuf.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace stigg::sidecar {

using Time = std::chrono::system_clock::time_point;
using Millis = std::chrono::milliseconds;

/// Why a customer is denied. The numbers are those of the contract; one that is newer than this
/// library keeps its number.
enum class AccessDeniedReason : int {
  kUnspecified = 0,
  kUnknown = 1,  ///< nothing is known: a fallback was answered
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
/// "FEATURE_NOT_FOUND"; "REASON_99" for a number that this library does not know.
std::string Name(AccessDeniedReason reason);

enum class FeatureType : int { kUnspecified = 0, kBoolean = 1, kNumber = 2, kEnum = 3 };
enum class MeterType : int { kUnspecified = 0, kNone = 1, kFluctuating = 2, kIncremental = 3 };
enum class ResetPeriod : int { kUnspecified = 0, kDay = 1, kHour = 2, kMonth = 3, kWeek = 4, kYear = 5 };

struct Feature {
  std::string id;
  FeatureType type = FeatureType::kUnspecified;
  std::string units;         ///< may be empty
  std::string units_plural;  ///< may be empty
  MeterType meter = MeterType::kUnspecified;
  bool is_metered = false;

  friend bool operator==(const Feature&, const Feature&) = default;
};

// What is granted. `feature` is not there when nothing is known of it.

struct BooleanEntitlement {
  std::optional<Feature> feature;
  friend bool operator==(const BooleanEntitlement&, const BooleanEntitlement&) = default;
};

struct NumericEntitlement {
  std::optional<Feature> feature;
  std::optional<int32_t> value;  ///< not there: none, or unlimited
  bool is_unlimited = false;
  friend bool operator==(const NumericEntitlement&, const NumericEntitlement&) = default;
};

struct MeteredEntitlement {
  std::optional<Feature> feature;
  std::optional<double> usage_limit;  ///< not there: none, or unlimited
  bool is_unlimited = false;
  bool has_soft_limit = false;  ///< usage may go beyond the limit
  double current_usage = 0;
  ResetPeriod reset_period = ResetPeriod::kUnspecified;
  std::optional<Time> usage_period_anchor;
  std::optional<Time> usage_period_start;
  std::optional<Time> usage_period_end;
  friend bool operator==(const MeteredEntitlement&, const MeteredEntitlement&) = default;
};

struct EnumEntitlement {
  std::optional<Feature> feature;
  std::vector<std::string> values;
  friend bool operator==(const EnumEntitlement&, const EnumEntitlement&) = default;
};

struct Currency {
  std::string id;
  std::string display_name;
  std::string description;    ///< may be empty
  std::string unit_singular;  ///< may be empty
  std::string unit_plural;    ///< may be empty
  std::string metadata_json;  ///< an object as JSON; empty when there is none
  friend bool operator==(const Currency&, const Currency&) = default;
};

struct CreditEntitlement {
  Currency currency;
  double usage_limit = 0;
  double current_usage = 0;
  double remaining = 0;
  bool has_soft_limit = false;
  std::optional<Time> usage_period_end;
  friend bool operator==(const CreditEntitlement&, const CreditEntitlement&) = default;
};

/// monostate: an answer without a body (denied, and nothing is known of the kind).
using Entitlement = std::variant<std::monostate, BooleanEntitlement, NumericEntitlement, MeteredEntitlement,
                                 EnumEntitlement, CreditEntitlement>;

/// Where an answer comes from. The sidecar says so of answers that are no routine hits, and of all when it is asked to
/// (CallOptions::trace).
enum class Source {
  kNotSaid,      ///< from the sidecar: a routine hit
  kMemory,       ///< its cache; past its time when `age` says so
  kRedis,        ///< the cache that sidecars share
  kUpstream,     ///< fetched from the cloud for this call
  kSnapshot,     ///< what it remembered over a restart
  kFallback,     ///< the sidecar knew nothing: a fallback, per call or configured
  kUnreachable,  ///< the sidecar could not be asked: this library answered with a fallback
};

/// The part of an answer that all checks share.
struct Verdict {
  bool has_access = false;
  bool is_fallback = false;
  std::optional<AccessDeniedReason> access_denied_reason;
  Source source = Source::kNotSaid;
  std::optional<Millis> age;  ///< of the data, where the sidecar says so
};

struct BooleanAnswer : Verdict {
  BooleanEntitlement entitlement;
};
struct NumericAnswer : Verdict {
  NumericEntitlement entitlement;
};
struct MeteredAnswer : Verdict {
  double requested_usage = 0;
  MeteredEntitlement entitlement;
};
struct EnumAnswer : Verdict {
  std::vector<std::string> requested_values;
  EnumEntitlement entitlement;
};
/// Of GetEntitlement and GetEntitlementV2; a credit in the latter only.
struct EntitlementAnswer : Verdict {
  Entitlement entitlement;
};

/// All that a customer is granted.
struct EntitlementList {
  std::vector<Entitlement> entitlements;
  std::optional<AccessDeniedReason> access_denied_reason;
  Source source = Source::kNotSaid;
  std::optional<Millis> age;
};
/// The same with a verdict for each.
struct EntitlementState {
  std::vector<EntitlementAnswer> entitlements;
  std::optional<AccessDeniedReason> access_denied_reason;
  Source source = Source::kNotSaid;
  std::optional<Millis> age;
};

// What to answer when nothing is known.

struct BooleanFallback {
  bool has_access = false;
};
struct NumericFallback {
  bool has_access = false;
  std::optional<int32_t> value;
  std::optional<bool> is_unlimited;
};
struct MeteredFallback {
  bool has_access = false;
  std::optional<double> usage_limit;
  std::optional<bool> is_unlimited;
};
struct EnumFallback {
  bool has_access = false;
  std::vector<std::string> values;
};
using Fallback = std::variant<BooleanFallback, NumericFallback, MeteredFallback, EnumFallback>;

// Questions. Ids are at most 1 KiB of UTF-8; `resource_id` empty: the customer's own.

struct BooleanCheck {
  std::string customer_id;
  std::string feature_id;
  std::string resource_id;
  std::optional<BooleanFallback> fallback;
};
struct NumericCheck {
  std::string customer_id;
  std::string feature_id;
  std::string resource_id;
  std::optional<NumericFallback> fallback;
};
struct MeteredCheck {
  std::string customer_id;
  std::string feature_id;
  std::string resource_id;
  std::optional<double> requested_usage;  ///< finite, not negative; not there: 1
  std::optional<MeteredFallback> fallback;
};
struct EnumCheck {
  std::string customer_id;
  std::string feature_id;
  std::string resource_id;
  std::vector<std::string> requested_values;  ///< granted when all of them are
  std::optional<EnumFallback> fallback;
};
struct EntitlementCheck {
  std::string customer_id;
  std::string feature_id;
  std::string resource_id;
  std::optional<double> requested_usage;
  std::vector<std::string> requested_values;
  std::optional<Fallback> fallback;
};
/// Of a feature, or of a credit: exactly one of `feature_id` and `currency_id`.
struct EntitlementCheckV2 {
  std::string customer_id;
  std::string feature_id;
  std::string currency_id;
  std::string resource_id;
  std::optional<double> requested_usage;
  std::vector<std::string> requested_values;
  std::optional<Fallback> fallback;
};
/// All entitlements of a customer, or of one of his resources.
struct Subject {
  std::string customer_id;
  std::string resource_id;
};

// Reports.

using Dimension = std::variant<std::string, double, bool>;
using Dimensions = std::map<std::string, Dimension>;

enum class UsageUpdate { kDelta, kSet };

struct UsageReport {
  std::string customer_id;
  std::string feature_id;
  double value = 0;  ///< finite; a negative delta releases usage, a negative set is refused
  std::string resource_id;
  UsageUpdate update = UsageUpdate::kDelta;
  Dimensions dimensions;          ///< at most 100
  std::optional<Time> timestamp;  ///< not there: when upstream gets it
};
struct UsageReceipt {
  std::string measurement_id;
  std::string customer_id;
  std::string resource_id;
  std::string feature_id;
  std::optional<double> current_usage;  ///< not there: upstream counts it later
  std::optional<Time> usage_period_start;
  std::optional<Time> usage_period_end;
  bool is_durable = false;  ///< on the sidecar's disk, not yet in the cloud (CallOptions::accept_durable)
};
struct Event {
  std::string event_name;
  std::string customer_id;
  std::string idempotency_key;  ///< required: the same key is counted once
  std::string resource_id;
  Dimensions dimensions;
  std::optional<Time> timestamp;
};

}  // namespace stigg::sidecar
