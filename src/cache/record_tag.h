#pragma once

#include <cstdint>
#include <string_view>

namespace sidecar {

/// One byte of hash of a feature id: rows whose tag differs need not be looked at. Private
/// to the cache; differs from process to process.
uint8_t RecordTag(std::string_view feature_id);

}  // namespace sidecar
