#include "app/configuration.h"

#include <cstdio>

#include "adapters/system/limits.h"
#include "adapters/tls/certificates.h"
#include "adapters/world/world_data.h"
#include "app/exit_codes.h"
#include "app/shadow_wiring.h"
#include "app/tls_files.h"
#include "config/summary.h"
#include "text/text.h"

namespace sidecar {
namespace {

void CheckDataFile(const std::string& path, const FileReader& read_file, std::vector<std::string>& violations) {
  const absl::StatusOr<std::string> text = read_file(path);
  absl::Status status = text.status();
  if (text.ok()) status = ParseWorld(*text, path).status();
  if (status.ok()) return;
  if (!text.ok()) {
    violations.push_back(
        StrCat("OFFLINE_DATA_FILE=", SeenPath(path), ": ", Message(status), "; expected a readable data file"));
    return;
  }
  for (const std::string_view mistake : Split(Message(status), '\n')) {
    violations.push_back(StrCat("OFFLINE_DATA_FILE: ", WithoutControls(mistake)));
  }
}

void CheckCaFile(std::string_view variable, const std::string& path, const FileReader& read_file,
                 std::vector<std::string>& violations) {
  if (path.empty()) return;
  const absl::StatusOr<std::string> pem = read_file(path);
  const absl::Status status = pem.ok() ? CheckCertificates(*pem) : pem.status();
  if (status.ok()) return;
  violations.push_back(
      StrCat(variable, "=", SeenPath(path), ": ", Message(status), "; expected a readable PEM file with certificates"));
}

}  // namespace

LoadedConfig LoadWithFiles(const Environment& environment, Purpose purpose, const FileReader& read_file) {
  LoadedConfig loaded = LoadConfig(environment, purpose, read_file);
  if (purpose == Purpose::kClient) return loaded;
  const Config& config = loaded.config;
  CheckCaFile("EXTRA_CA_FILE", config.extra_ca_file, read_file, loaded.violations);
  CheckCaFile("REDIS_TLS_CA_FILE", config.redis.tls_ca_file, read_file, loaded.violations);
  if (!config.tls.cert_file.empty() && !config.tls.key_file.empty()) {
    const absl::Status status = ReadTlsFiles(config.tls, read_file).status();
    if (!status.ok()) loaded.violations.emplace_back(Message(status));
  }
  if (absl::Status status = CheckShadowFields(config); !status.ok()) loaded.violations.emplace_back(Message(status));
  if (purpose == Purpose::kServe && config.offline && !config.offline_data_file.empty()) {
    CheckDataFile(config.offline_data_file, read_file, loaded.violations);
  }
  return loaded;
}

CacheLimit CacheLimitOf(const Config& config) {
  if (config.cache_max_size_bytes != 0) return {config.cache_max_size_bytes, "CACHE_MAX_SIZE_BYTES"};
  const MemoryLimit memory = FindMemoryLimit("");
  return {memory.bytes / 2, StrCat("half of ", memory.source)};
}

std::vector<std::string> EffectiveConfiguration(const LoadedConfig& loaded) {
  if (loaded.config.cache_max_size_bytes != 0) return Summarize(loaded);
  LoadedConfig shown = loaded;
  const CacheLimit limit = CacheLimitOf(loaded.config);
  shown.config.cache_max_size_bytes = limit.bytes;
  shown.origins["CACHE_MAX_SIZE_BYTES"] = {.note = limit.source};
  return Summarize(shown);
}

int ReportViolations(const LoadedConfig& loaded) {
  for (const std::string& warning : loaded.warnings) std::fprintf(stderr, "warning: %s\n", warning.c_str());
  for (const std::string& violation : loaded.violations) std::fprintf(stderr, "stigg-sidecar: %s\n", violation.c_str());
  std::fprintf(stderr, "stigg-sidecar: the configuration has %zu mistake%s; see stigg-sidecar help\n",
               loaded.violations.size(), loaded.violations.size() == 1 ? "" : "s");
  return kExitConfig;
}

}  // namespace sidecar
