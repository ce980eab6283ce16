#include "app/configuration.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cstdio>
#include <memory>

#include "adapters/system/limits.h"
#include "adapters/world/world_data.h"
#include "app/exit_codes.h"
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

void CheckCaFile(const std::string& path, const FileReader& read_file, std::vector<std::string>& violations) {
  const absl::StatusOr<std::string> pem = read_file(path);
  const absl::Status status = pem.ok() ? CheckCertificates(*pem) : pem.status();
  if (status.ok()) return;
  violations.push_back(StrCat("EXTRA_CA_FILE=", SeenPath(path), ": ", Message(status),
                              "; expected a readable PEM file with certificates"));
}

}  // namespace

LoadedConfig LoadWithFiles(const Environment& environment, Purpose purpose, const FileReader& read_file) {
  LoadedConfig loaded = LoadConfig(environment, purpose, read_file);
  if (purpose == Purpose::kClient) return loaded;
  const Config& config = loaded.config;
  if (!config.extra_ca_file.empty()) CheckCaFile(config.extra_ca_file, read_file, loaded.violations);
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

absl::Status CheckCertificates(std::string_view pem) {
  const std::unique_ptr<BIO, int (*)(BIO*)> in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  ERR_clear_error();
  for (size_t read = 0;; ++read) {
    // Skips what is no certificate, such as keys and comments.
    X509* const certificate = PEM_read_bio_X509_AUX(in.get(), nullptr, nullptr, nullptr);
    if (certificate != nullptr) {
      X509_free(certificate);
      continue;
    }
    const unsigned long error = ERR_peek_last_error();
    ERR_clear_error();
    const bool at_end = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
    if (at_end && read > 0) return absl::OkStatus();
    if (at_end) return InvalidArgument("has no certificate");
    const char* const reason = ERR_reason_error_string(error);
    return InvalidArgument("certificate ", read + 1, " cannot be read (",
                           reason == nullptr ? "no reason given" : reason, ")");
  }
}

int ReportViolations(const LoadedConfig& loaded) {
  for (const std::string& warning : loaded.warnings) std::fprintf(stderr, "warning: %s\n", warning.c_str());
  for (const std::string& violation : loaded.violations) std::fprintf(stderr, "stigg-sidecar: %s\n", violation.c_str());
  std::fprintf(stderr, "stigg-sidecar: the configuration has %zu mistake%s; see stigg-sidecar help\n",
               loaded.violations.size(), loaded.violations.size() == 1 ? "" : "s");
  return kExitConfig;
}

}  // namespace sidecar
