#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "domain/time.h"

namespace sidecar {

/// What a TLS server shows and asks for, as PEM. Checked: the parts fit together.
struct ServerCertificate {
  std::string private_key;  ///< a secret
  std::string chain;        ///< the leaf first
  std::string client_ca;    ///< who signs clients; empty: clients show nothing
  WallTime not_after{};     ///< of the leaf

  bool operator==(const ServerCertificate&) const = default;
};

/// Reads and checks the three texts. INVALID_ARGUMENT: begins with the variable (TLS_CERT_FILE,
/// TLS_KEY_FILE, TLS_CLIENT_CA_FILE) whose text is wrong, or says that key and certificate belong to
/// different pairs; never quotes them.
absl::StatusOr<ServerCertificate> CheckServerCertificate(std::string private_key, std::string chain,
                                                         std::string client_ca);

}  // namespace sidecar
