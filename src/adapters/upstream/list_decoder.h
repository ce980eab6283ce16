#pragma once

#include <string>
#include <utility>

#include "adapters/json/entitlements_codec.h"
#include "adapters/json/json.h"
#include "adapters/upstream/failure_mapping.h"
#include "core/metrics.h"
#include "ports/upstream_failure.h"

namespace sidecar {

/// Decodes an entitlement list of either generation and counts what could not be used.
inline UpstreamResult<CustomerEntitlements> DecodeList(const Json& data, Generation generation, Metrics& metrics) {
  absl::StatusOr<DecodedEntitlements> decoded =
      generation == Generation::kV2 ? DecodeEntitlementsV2(data) : DecodeEntitlementsV1(data);
  if (!decoded.ok()) {
    metrics.malformed_responses.Add();
    return FailureFromBody(decoded.status());
  }
  metrics.skipped_entitlements.Add(decoded->skipped);
  return std::move(decoded->entitlements);
}

}  // namespace sidecar
