#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "domain/fallback.h"

namespace sidecar {

/// Reads ENTITLEMENTS_FALLBACK: a JSON object, feature id -> {hasAccess, value?, usageLimit?,
/// isUnlimited?, enumValues?}. Members it does not know are ignored, as the vendor's engine
/// does (docs/protocol.md section 5.3).
/// INVALID_ARGUMENT says which feature and member is wrong, what was seen and what is
/// accepted; for text that is not JSON, where it stops being so, with a hint for single
/// quotes and trailing commas.
absl::StatusOr<FallbackTable> ParseFallbacks(std::string_view json);

}  // namespace sidecar
