#pragma once

#include <string>

namespace sidecar {

/// Random UUID, version 4: an idempotency key of our own making.
std::string NewUuid();

/// Random text of `length` characters in the alphabet of URL-safe base64.
std::string NewId(size_t length);

}  // namespace sidecar
