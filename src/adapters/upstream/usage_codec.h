// Reports as upstream reads them, and its receipts. Source: docs/protocol.md section 2.2.
#pragma once

#include <vector>

#include "adapters/json/entitlements_codec.h"
#include "adapters/json/json.h"
#include "ports/usage_sink.h"

namespace sidecar {

/// One element of the usage input. V1 does not know `idempotencyKey`.
Json EncodeUsage(const UsageReport& report, Generation generation);
Json EncodeEvent(const UsageEvent& event);

/// Reads one receipt. INVALID_ARGUMENT when a member has the wrong type or the id is missing.
absl::StatusOr<UsageReceipt> DecodeReceipt(const Json& measurement, std::string path);

}  // namespace sidecar
