#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "adapters/tls/server_certificate.h"
#include "config/config.h"
#include "config/load.h"
#include "core/metrics.h"
#include "front/tls_identity.h"
#include "ports/clock.h"
#include "ports/timers.h"

namespace sidecar {

/// Reads and checks the files. INVALID_ARGUMENT names the variable, what was seen and what is accepted.
absl::StatusOr<ServerCertificate> ReadTlsFiles(const TlsConfig& config, const FileReader& read_file);

/// The certificate of PORT, from its files, read again while it serves. Files that do not fit
/// together, as in the middle of a renewal, are not taken: the old ones stay in use.
class TlsFiles {
 public:
  struct Tools {
    Clock& clock;
    Timers& timers;
    Metrics& metrics;
  };

  /// nullptr: TLS is not configured. INVALID_ARGUMENT: the files cannot be used.
  static absl::StatusOr<std::unique_ptr<TlsFiles>> Load(const TlsConfig& config, const Tools& tools);

  TlsFiles(const TlsConfig& config, const Tools& tools, const ServerCertificate& certificate);

  TlsIdentity& identity() { return identity_; }
  /// Looks at the files every second from now on. Never ends, as the process' timers do not.
  void Watch();

 private:
  void Look();

  const TlsConfig config_;
  const Tools tools_;
  TlsIdentity identity_;
  ServerCertificate in_use_;  // timer thread only
  std::string said_;          // what is wrong with the files, if that was said; timer thread only
};

}  // namespace sidecar
