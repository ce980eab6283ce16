// Values of keys. Source: docs/protocol.md sections 7.2 and 7.3,
// tests/fixtures/redis-dump-v1-layout.json. We write the old layout and read both.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "domain/entitlement.h"
#include "domain/entity_key.h"
#include "ports/change_feed.h"

namespace sidecar {

/// The list: features only. Credits have no place in the old layout (docs/adr/0016).
std::string EncodeList(EntityKeyView key, const CustomerEntitlements& value);
/// {"currentUsage":…,"usagePeriodStart":…,"usagePeriodEnd":…}
std::string EncodeUsage(double current, std::optional<WallTime> start, std::optional<WallTime> end);
/// {"accessDeniedReason":…}
std::string EncodeMetadata(DeniedReason reason);

/// Features, and credits of the new layout. INVALID_ARGUMENT: the value is of no use.
absl::StatusOr<CustomerEntitlements> DecodeList(std::string_view text);
/// Writes usage over what the list says of it.
absl::Status DecodeUsage(std::string_view text, FeatureEntitlement& feature);
/// kNone when it says nothing.
absl::StatusOr<DeniedReason> DecodeMetadata(std::string_view text);

/// Features whose usage has a key of its own.
bool HasUsageKey(const FeatureEntitlement& feature);

/// What has happened to a currency since the list was fetched.
struct CreditChange {
  int64_t at_ms = 0;  ///< by Redis' clock
  std::variant<UsagePush, BalancePush> push;

  const std::string& currency_id() const;
};

/// What we keep of a record beside the vendor's keys, in one value that others ignore.
struct SiblingValue {
  int64_t as_of_ms = 0;  ///< start of the fetch, or arrival of the push, by Redis' clock
  int64_t list_ms = 0;   ///< date of the list that it belongs to
  std::vector<CreditEntitlement> credits;
  std::vector<CreditChange> changes;  ///< in order; at most one a currency and kind

  /// Keeps a change, unless a newer one of its kind is there.
  void Add(CreditChange change);
  /// 0 when there is none.
  int64_t newest_change_ms() const;
};

/// "<as_of_ms> <list_ms> <newest_change_ms> <JSON>": scripts compare the numbers.
std::string EncodeSibling(const SiblingValue& value);
absl::StatusOr<SiblingValue> DecodeSibling(EntityKeyView key, std::string_view text);

}  // namespace sidecar
