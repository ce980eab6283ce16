// The configuration as the verbs use it: read, with the files that it names.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/load.h"

namespace sidecar {

/// Reads the environment and the files that it names: everything that would end a start for
/// a reason that check-config can find without opening a port.
LoadedConfig LoadWithFiles(const Environment& environment, Purpose purpose, const FileReader& read_file);

/// The configuration in force (config/summary.h), with the limits that this machine gives.
std::vector<std::string> EffectiveConfiguration(const LoadedConfig& loaded);

/// Prints every violation, and every warning, on standard error; returns the exit code.
int ReportViolations(const LoadedConfig& loaded);

/// The bound of the cache: the configured one, or half of what the container or machine has.
struct CacheLimit {
  size_t bytes = 0;
  std::string source;  ///< for the start of the log
};
CacheLimit CacheLimitOf(const Config& config);

}  // namespace sidecar
