#include "app/options.h"

#include <algorithm>

#include "text/text.h"

namespace sidecar {

absl::StatusOr<ParsedArguments> ParseArguments(const std::vector<std::string>& arguments,
                                               const std::vector<std::string_view>& known) {
  ParsedArguments parsed;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (!argument.starts_with("--")) {
      parsed.positional.push_back(argument);
      continue;
    }
    const size_t equals = argument.find('=');
    const std::string name = argument.substr(0, equals);
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return absl::InvalidArgumentError(
          StrCat(name, " is not an option here", known.empty() ? "" : "; known are ", Join(known, ", ")));
    }
    if (equals != std::string::npos) {
      parsed.options[name] = argument.substr(equals + 1);
    } else if (i + 1 < arguments.size()) {
      parsed.options[name] = arguments[++i];
    } else {
      return InvalidArgument(name, " needs a value");
    }
  }
  return parsed;
}

}  // namespace sidecar
