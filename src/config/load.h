// From environment variables to a Config: all violations at once.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "config/config.h"
#include "config/settings.h"

namespace sidecar {

/// What the configuration is for: what is required differs.
enum class Purpose : uint8_t {
  kServe,
  kDev,     ///< no key needed, upstream is our own, loopback only
  kClient,  ///< verbs that only call a running daemon: only where it listens can be wrong
};

/// Reads a whole file; the status says why not. Injected for tests.
using FileReader = std::function<absl::StatusOr<std::string>(const std::string& path)>;

/// Where the value in force comes from.
struct Origin {
  enum class Kind : uint8_t { kDefault, kSet, kDerived } kind = Kind::kDefault;
  std::string note = {};  ///< e.g. "from API_URL", "as https_proxy"; may be empty
};

struct LoadedConfig {
  Config config;
  /// Each names a variable, what was seen (never a secret) and what is accepted. The
  /// configuration must not be used when there are any.
  std::vector<std::string> violations;
  std::vector<std::string> warnings;
  /// By name of the setting; one that is not in here has its default.
  std::map<std::string_view, Origin> origins;
};

LoadedConfig LoadConfig(const Environment& environment, Purpose purpose, const FileReader& read_file);

/// Reads a secret's file: its text without white space around it. Fails on an unreadable or
/// empty file.
absl::StatusOr<std::string> ReadSecretFile(const std::string& path, const FileReader& read_file);

/// A value for a message: in quotes, cut short, control characters made visible.
std::string Seen(std::string_view value);
/// The same for a path, of which the end tells most.
std::string SeenPath(std::string_view path);

}  // namespace sidecar
