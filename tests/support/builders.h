// Short ways to write entitlements in tests.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "domain/entitlement.h"
#include "domain/views.h"

namespace sidecar::testing {

inline std::string CustomerName(int i) { return "customer-" + std::to_string(i); }

/// `ms` after a date that tests agree on.
inline WallTime DateAt(int64_t ms) { return WallTimeFromEpochMs(1'795'000'000'000 + ms); }

inline FeatureEntitlement Boolean(std::string id) {
  return {.feature = {.id = std::move(id), .type = FeatureType::kBoolean}};
}

inline FeatureEntitlement Numeric(std::string id, std::optional<double> value) {
  return {.feature = {.id = std::move(id), .type = FeatureType::kNumber, .meter = MeterType::kNone},
          .usage_limit = value};
}

inline FeatureEntitlement Metered(std::string id, std::optional<double> limit, double usage) {
  return {.feature = {.id = std::move(id),
                      .type = FeatureType::kNumber,
                      .meter = MeterType::kIncremental,
                      .units = "call",
                      .units_plural = "calls"},
          .usage_limit = limit,
          .current_usage = usage};
}

inline FeatureEntitlement Enum(std::string id, std::vector<std::string> values) {
  return {.feature = {.id = std::move(id), .type = FeatureType::kEnum}, .enum_values = std::move(values)};
}

inline CreditEntitlement Credit(std::string id, double limit, double usage) {
  return {.currency = {.id = std::move(id), .display_name = "Credits"}, .usage_limit = limit, .current_usage = usage};
}

inline CustomerEntitlements Of(std::vector<FeatureEntitlement> features, std::vector<CreditEntitlement> credits = {}) {
  return {.features = std::move(features), .credits = std::move(credits)};
}

/// The view that rules look at, of an entitlement that outlives it.
inline FeatureView ViewOf(const FeatureEntitlement& e) {
  FeatureView view{.id = e.feature.id,
                   .type = e.feature.type,
                   .meter = e.feature.meter,
                   .denied_reason = e.denied_reason,
                   .unlimited = e.unlimited,
                   .soft_limit = e.soft_limit,
                   .usage_limit = e.usage_limit,
                   .current_usage = e.current_usage,
                   .period = e.period,
                   .valid_until = e.valid_until};
  for (const std::string& value : e.enum_values) view.enum_values.push_back(value);
  return view;
}

}  // namespace sidecar::testing
