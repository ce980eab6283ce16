// Spooled reports as text: readable with the sqlite3 command, and by later versions.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "ports/spool_store.h"

namespace sidecar {

std::string EncodeSpoolItem(const SpoolItem& item);

/// INVALID_ARGUMENT when the text is not what EncodeSpoolItem writes for this kind.
absl::StatusOr<SpoolItem> DecodeSpoolItem(SpoolKind kind, std::string_view text);

/// "usage" or "event".
std::string_view Name(SpoolKind kind);

}  // namespace sidecar
