#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace sidecar {

/// Whether these are certificates in PEM as OpenSSL reads them. INVALID_ARGUMENT says which
/// one is not, and why.
absl::Status CheckCertificates(std::string_view pem);

}  // namespace sidecar
