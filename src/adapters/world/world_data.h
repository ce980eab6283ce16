// The data file of `dev` and of OFFLINE_DATA_FILE: features, credits, plans and customers.
// Format: docs/dev.md.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "domain/entitlement.h"

namespace sidecar {

/// A feature whose usage is counted from events.
struct EventMeter {
  std::string event_name;
  /// Dimension whose distinct values are counted; empty: every event counts.
  std::string distinct_dimension;
};

struct WorldFeature {
  FeatureDefinition definition;
  std::optional<EventMeter> event_meter;
};

/// What a plan (or an override of a customer) grants of one feature or credit.
struct WorldGrant {
  std::optional<double> limit;  ///< of a metered feature or credit; value of a numeric one
  bool unlimited = false;
  bool soft_limit = false;
  ResetPeriod reset = ResetPeriod::kNone;
  std::vector<std::string> enum_values;
  std::optional<CreditRate> credit_rate;
};

/// Feature id or currency id -> grant, in the order of the file.
using WorldGrants = std::vector<std::pair<std::string, WorldGrant>>;

struct WorldSubscriber {
  std::string plan;  ///< empty: no active subscription
  bool archived = false;
  WorldGrants overrides;
  std::map<std::string, double> usage;  ///< by feature or currency id
};

struct WorldCustomer {
  WorldSubscriber self;
  std::map<std::string, WorldSubscriber> resources;
};

struct WorldData {
  std::map<std::string, WorldFeature> features;
  std::map<std::string, CurrencyDefinition> credits;
  std::map<std::string, WorldGrants> plans;
  std::map<std::string, WorldCustomer> customers;
};

/// Reads a data file's text. INVALID_ARGUMENT lists every violation, one a line:
/// "file:line: path: what was seen; what is accepted".
absl::StatusOr<WorldData> ParseWorld(std::string_view text, const std::string& file_name);

/// The world that `dev` has without a file: docs/dev.md shows it, README uses it.
std::string_view BuiltInWorld();

}  // namespace sidecar
