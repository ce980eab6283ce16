#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "domain/fallback.h"

namespace sidecar {

/// Reads ENTITLEMENTS_FALLBACK: a JSON object, feature id -> {hasAccess, value?, usageLimit?,
/// isUnlimited?, enumValues?}. Members it does not know are ignored, as the vendor's engine
/// does (docs/protocol.md section 5.3).
/// INVALID_ARGUMENT has one line for each mistake (20 at most): feature and member, what is
/// accepted, what was seen. A feature or member that is given twice is a mistake. For text
/// that is not JSON the line says where it stops being so, with a hint for single quotes and
/// trailing commas.
absl::StatusOr<FallbackTable> ParseFallbacks(std::string_view json);

/// The same as compact JSON; empty for an empty table.
std::string FormatFallbacks(const FallbackTable& table);

}  // namespace sidecar
