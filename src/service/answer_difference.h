// Field by field, where two answers to the same request differ.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "service/methods.h"

namespace sidecar {

struct FieldDifference {
  /// As `entitlements[feature-x].current_usage`: elements of lists by the id that they are
  /// about. "(message)": one of the two cannot be parsed.
  std::string path;
  std::string ours;  ///< as text; "(absent)"
  std::string theirs;

  friend bool operator==(const FieldDifference&, const FieldDifference&) = default;
};

/// Compares two response messages of the method: every field, its presence, and fields that
/// the contract does not know. Elements of lists are matched by feature or currency id; their
/// order alone makes no difference, that of several about the same neither. Numbers are compared exactly; NaN equals
/// NaN. Thread-safe.
std::vector<FieldDifference> CompareAnswers(Method method, std::string_view ours, std::string_view theirs);

/// The path without ids: what a metric may be labelled with.
std::string FieldName(std::string_view path);

}  // namespace sidecar
