// The table of settings: drives parsing, --help, the README's reference and the printed
// summary, so that they cannot disagree.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"

namespace sidecar {

/// Environment variables by name, as the process was given them.
using Environment = std::map<std::string, std::string>;

struct Setting {
  std::string_view name;
  std::string_view group;
  std::string_view accepted;      ///< e.g. "1/0/true/false/yes/no/on/off"
  std::string_view default_text;  ///< for people; may be a sentence
  std::string_view help;
  bool secret = false;
  /// Writes a value that is not empty into the configuration; false when it is not accepted.
  std::function<bool(std::string_view value, Config& config)> parse;
};

/// All settings, in the order of the reference. A setting with `secret` also exists as
/// NAME_FILE, which names a file with the value.
const std::vector<Setting>& Settings();

}  // namespace sidecar
