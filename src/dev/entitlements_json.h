#pragma once

#include "adapters/json/entitlements_codec.h"
#include "adapters/json/json.h"
#include "ports/usage_sink.h"

namespace sidecar::dev {

/// The `data` member that the cloud answers, either generation (docs/protocol.md 1.3).
Json EncodeEntitlements(const CustomerEntitlements& entitlements, EntityKeyView key, Generation generation);

/// One measurement (docs/protocol.md 2.2).
Json EncodeReceipt(const UsageReceipt& receipt, Generation generation);

}  // namespace sidecar::dev
