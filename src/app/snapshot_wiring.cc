#include "app/snapshot_wiring.h"

#include "adapters/system/files.h"
#include "app/version.h"
#include "config/load.h"

namespace sidecar {
namespace {

/// The key in use: one from a file is read again for each snapshot, as it may have been
/// replaced since the start.
std::string CurrentKey(const Secret& key) {
  if (key.file.empty()) return key.value;
  absl::StatusOr<std::string> read = ReadSecretFile(key.file, ReadFile);
  return read.ok() ? *std::move(read) : key.value;
}

}  // namespace

SnapshotWiring::SnapshotWiring(const Config& config, const Tools& tools)
    : file_({.path = config.snapshot_path,
             .environment = {.urls = {config.api_url, config.edge_api_url},
                             .api_key = [key = config.server_api_key] { return CurrentKey(key); }},
             .bytes_max = tools.cache.limit_bytes(),
             .written_by = std::string(kVersion)},
            tools.clock),
      keeper_(
          tools.cache, file_, tools.clock, tools.timers, tools.metrics,
          {.path = config.snapshot_path,
           .interval = config.snapshot_interval,
           .age_of = [&cover = tools.cover](const Record& record, MonoTime now) { return cover.AgeOf(record, now); }}) {
}

std::unique_ptr<SnapshotWiring> SnapshotWiring::Make(const Config& config, const Tools& tools) {
  if (config.snapshot_path.empty() || config.offline) return nullptr;
  return std::unique_ptr<SnapshotWiring>(new SnapshotWiring(config, tools));
}

}  // namespace sidecar
