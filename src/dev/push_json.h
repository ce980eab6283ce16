#pragma once

#include <utility>
#include <vector>

#include "adapters/json/json.h"
#include "dev/subscriptions.h"
#include "ports/change_feed.h"

namespace sidecar::dev {

/// A subscription and the payload of a `next` for it: {"data": {root field: …}}.
using PushMessage = std::pair<Subscription, Json>;

/// What the cloud sends for a change, in both generations (docs/protocol.md section 3.2; byte
/// shapes in tests/fixtures/ws-*.json). `now` is what its customer or resource has: V1 sends
/// the entitlement with its usage, and what a credit grants with its balance.
std::vector<PushMessage> EncodePush(const Push& push, const CustomerEntitlements& now);

}  // namespace sidecar::dev
