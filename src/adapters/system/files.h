#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace sidecar {

/// A whole regular file of at most 16 MiB. NOT_FOUND, PERMISSION_DENIED, INVALID_ARGUMENT
/// (not a regular file, too large) or UNAVAILABLE, each saying why.
absl::StatusOr<std::string> ReadFile(const std::string& path);

}  // namespace sidecar
