// The table of settings: drives parsing, --help, the README's reference and the summary of
// what is in force, so that they cannot disagree.
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

/// How one kind of value is read and shown.
struct ValueCodec {
  /// Writes a value that is not empty into the configuration; false when it is not accepted.
  std::function<bool(std::string_view value, Config& config)> parse;
  /// What is in force, as text that `parse` would accept; empty when there is none.
  std::function<std::string(const Config& config)> show;
  /// What is wrong with a value that was refused, a mistake an entry; may be null.
  std::function<std::vector<std::string>(std::string_view value)> explain = nullptr;
  /// What a violation quotes of a refused value, besides the explanation.
  enum class Quote : uint8_t {
    kValue,
    kNothing,      ///< it may hold a password
    kMistakesOnly  ///< it is long: every mistake speaks for itself
  } quote = Quote::kValue;
};

struct Setting {
  std::string_view name;
  std::string_view group;
  std::string_view accepted;      ///< e.g. "1/0/true/false/yes/no/on/off"
  std::string_view default_text;  ///< for people; may be a sentence
  std::string_view help;
  bool secret = false;
  ValueCodec codec;
  std::string_view alias = {};  ///< counts where `name` is unset
};

/// The group of what says where a daemon can be reached: all that a client reads.
inline constexpr std::string_view kListenersGroup = "Listeners";

/// All settings, in the order of the reference. A setting with `secret` also exists as
/// NAME_FILE, which names a file with the value.
const std::vector<Setting>& Settings();

/// The value of a variable without white space around it, which is an accident of quoting;
/// empty when it is unset.
std::string_view ValueOf(const Environment& environment, std::string_view name);

}  // namespace sidecar
