// From environment variables to a Config: all violations at once.
#pragma once

#include <functional>
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
  kClient,  ///< verbs that only call a running daemon
};

/// Reads a whole file; the status says why not. Injected for tests.
using FileReader = std::function<absl::StatusOr<std::string>(const std::string& path)>;

struct LoadedConfig {
  Config config;
  /// Each names a variable, what was seen (never a secret) and what is accepted. The
  /// configuration must not be used when there are any.
  std::vector<std::string> violations;
  std::vector<std::string> warnings;
};

LoadedConfig LoadConfig(const Environment& environment, Purpose purpose, const FileReader& read_file);

/// Reads a secret's file: its text without white space around it. Fails on an unreadable or
/// empty file.
absl::StatusOr<std::string> ReadSecretFile(const std::string& path, const FileReader& read_file);

/// The effective configuration, one "NAME=value" a line with where it came from; secrets are
/// shown as set or not.
std::string Summarize(const Environment& environment);

/// The reference as printed by --help, and as a Markdown table for the README.
std::string HelpText();
std::string MarkdownReference();

}  // namespace sidecar
