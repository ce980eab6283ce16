// Entitlement lists as upstream writes them, both generations, and both the Edge and the
// GraphQL API (they share one shape). Source: docs/protocol.md sections 1.3, 1.4 and 2.2.
#pragma once

#include "absl/status/statusor.h"
#include "adapters/json/json.h"
#include "domain/entitlement.h"

namespace sidecar {

/// The two protocol generations (docs/protocol.md section 0).
enum class Generation : uint8_t { kV1, kV2 };

struct DecodedEntitlements {
  CustomerEntitlements entitlements;
  /// Elements without a feature id or of a type unknown to us, left out.
  size_t skipped = 0;
};

/// Decodes the `data` member of a V1 answer ({"entitlements":[…]}). An empty list means that
/// the customer is unknown (section 4.2).
/// INVALID_ARGUMENT when a member has the wrong type or the list is missing: a partial
/// answer is no answer.
absl::StatusOr<DecodedEntitlements> DecodeEntitlementsV1(const Json& data);

/// Decodes the `data` member of a V2 answer ({"entitlementsState":{…}}). Errors as above.
absl::StatusOr<DecodedEntitlements> DecodeEntitlementsV2(const Json& data);

}  // namespace sidecar
