// From the `data` of a subscription's message to a change.
#pragma once

#include <optional>

#include "absl/status/statusor.h"
#include "adapters/json/entitlements_codec.h"
#include "adapters/json/json.h"
#include "adapters/upstream/documents.h"
#include "ports/change_feed.h"

namespace sidecar {

enum class Subscription : uint8_t { kEntitlements, kUsage, kPackage, kBalance };

/// Its operation; kBalance exists in V1 only.
GraphqlOperation OperationOf(Subscription subscription, Generation generation);

struct DecodedPush {
  /// nullopt: understood, and it changes nothing here (a package for new customers).
  std::optional<Push> push;
  size_t skipped = 0;  ///< list elements of an unknown shape, left out
};

/// INVALID_ARGUMENT: a shape that cannot be used, or nobody is named. A list that is empty
/// without a reason keeps DeniedReason::kNone in both generations: it says that something
/// changed, not what. Source: docs/protocol.md sections 3.2 and 3.3.
absl::StatusOr<DecodedPush> DecodePush(Subscription subscription, Generation generation, const Json& data);

/// What is known of a message that DecodePush refused: that something changed for the customer
/// it names, or for all if it is about a package. nullopt: it names nobody.
std::optional<Push> DoubtOf(Subscription subscription, const Json& data);

}  // namespace sidecar
