// What to answer when nothing is known: per-call fallback, else the configured one of that
// feature, else denial. One wins whole; they are never merged (docs/protocol.md section 5).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "domain/types.h"

namespace sidecar {

/// One fallback, untyped: it takes the type of the question, or of its own members in a
/// list (docs/protocol.md section 13.9).
struct FallbackValue {
  bool has_access = false;
  std::optional<double> value;        ///< numeric; integral and within int32
  std::optional<double> usage_limit;  ///< metered; finite
  std::optional<bool> unlimited;
  std::optional<std::vector<std::string>> enum_values;

  /// The kind its members speak of: enumValues, value, usageLimit or isUnlimited, else boolean.
  EntitlementKind kind() const {
    if (enum_values.has_value()) return EntitlementKind::kEnum;
    if (value.has_value()) return EntitlementKind::kNumeric;
    if (usage_limit.has_value() || unlimited.has_value()) return EntitlementKind::kMetered;
    return EntitlementKind::kBoolean;
  }

  friend bool operator==(const FallbackValue&, const FallbackValue&) = default;
};

/// The configured fallbacks (ENTITLEMENTS_FALLBACK), immutable after start; keeps the
/// order of the configuration, which lists answer in. Thread-safe by being constant.
class FallbackTable {
 public:
  void Add(std::string feature_id, FallbackValue value);

  /// nullptr when the feature has none.
  const FallbackValue* Find(std::string_view feature_id) const;

  struct Entry {
    std::string feature_id;
    FallbackValue value;
  };
  const std::vector<Entry>& entries() const { return entries_; }

 private:
  std::vector<Entry> entries_;
  absl::flat_hash_map<std::string, size_t> index_;
};

}  // namespace sidecar
