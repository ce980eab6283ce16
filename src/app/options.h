#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace sidecar {

struct ParsedArguments {
  std::vector<std::string> positional;
  std::map<std::string, std::string> options;  // "--resource" -> value

  std::string Option(const std::string& name) const {
    const auto found = options.find(name);
    return found == options.end() ? "" : found->second;
  }
};

/// Splits "--name value" and "--name=value" from the rest. INVALID_ARGUMENT for an option
/// that is not in `known` or has no value.
absl::StatusOr<ParsedArguments> ParseArguments(const std::vector<std::string>& arguments,
                                               const std::vector<std::string_view>& known);

}  // namespace sidecar
