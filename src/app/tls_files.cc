#include "app/tls_files.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "adapters/system/files.h"
#include "config/summary.h"
#include "text/text.h"

namespace sidecar {
namespace {

constexpr Millis kLookAtFilesEvery{1'000};

TlsIdentity::Pems PemsOf(const ServerCertificate& certificate) {
  return {.private_key = certificate.private_key,
          .certificate_chain = certificate.chain,
          .client_ca = certificate.client_ca};
}

void Publish(const ServerCertificate& certificate, Metrics& metrics) {
  metrics.tls_not_after_secs.Set(static_cast<uint64_t>(std::max<int64_t>(0, ToEpochMs(certificate.not_after) / 1000)));
}

}  // namespace

absl::StatusOr<ServerCertificate> ReadTlsFiles(const TlsConfig& config, const FileReader& read_file) {
  const auto read = [&](const char* variable, const std::string& path) -> absl::StatusOr<std::string> {
    if (path.empty()) return std::string();
    absl::StatusOr<std::string> text = read_file(path);
    if (!text.ok()) return InvalidArgument(variable, "=", SeenPath(path), ": ", Message(text.status()));
    return text;
  };
  absl::StatusOr<std::string> chain = read("TLS_CERT_FILE", config.cert_file);
  if (!chain.ok()) return chain.status();
  absl::StatusOr<std::string> key = read("TLS_KEY_FILE", config.key_file);
  if (!key.ok()) return key.status();
  absl::StatusOr<std::string> client_ca = read("TLS_CLIENT_CA_FILE", config.client_ca_file);
  if (!client_ca.ok()) return client_ca.status();
  if (!config.client_ca_file.empty() && client_ca->empty()) {
    return InvalidArgument("TLS_CLIENT_CA_FILE=", SeenPath(config.client_ca_file), ": has no certificate");
  }
  return CheckServerCertificate(*std::move(key), *std::move(chain), *std::move(client_ca));
}

absl::StatusOr<std::unique_ptr<TlsFiles>> TlsFiles::Load(const TlsConfig& config, const Tools& tools) {
  if (config.cert_file.empty()) return nullptr;
  absl::StatusOr<ServerCertificate> certificate = ReadTlsFiles(config, ReadFile);
  if (!certificate.ok()) return certificate.status();
  return std::make_unique<TlsFiles>(config, tools, *certificate);
}

TlsFiles::TlsFiles(const TlsConfig& config, const Tools& tools, const ServerCertificate& certificate)
    : config_(config), tools_(tools), identity_(PemsOf(certificate)), in_use_(certificate) {
  Publish(certificate, tools.metrics);
}

void TlsFiles::Watch() {
  // Read anew each time instead of watching for events: mounted secrets change by a swap of
  // symbolic links.
  tools_.timers.At(tools_.clock.Now() + kLookAtFilesEvery, [this] {
    Look();
    Watch();
  });
}

void TlsFiles::Look() {
  const absl::StatusOr<ServerCertificate> found = ReadTlsFiles(config_, ReadFile);
  if (!found.ok()) {
    const std::string why(Message(found.status()));
    if (std::exchange(said_, why) == why) return;
    tools_.metrics.tls_reload_errors.Add();
    return spdlog::warn("{}; the certificate that was read before stays in use", why);
  }
  said_.clear();
  if (*found == in_use_) return;
  in_use_ = *found;
  identity_.Replace(PemsOf(in_use_));
  Publish(in_use_, tools_.metrics);
  spdlog::warn("the TLS certificate was read again from its files");
}

}  // namespace sidecar
