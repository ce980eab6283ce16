// The six subscriptions of the cloud (docs/protocol.md section 3.2), by name.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace sidecar::dev {

enum class Subscription : uint8_t { kEntitlements, kUsage, kPackage, kCreditBalance, kEntitlementsV2, kUsageV2 };

inline constexpr std::array kSubscriptions{Subscription::kEntitlements,   Subscription::kUsage,
                                           Subscription::kPackage,        Subscription::kCreditBalance,
                                           Subscription::kEntitlementsV2, Subscription::kUsageV2};

/// "usageUpdatedV2": the root field, under which `data` carries the payload.
std::string_view RootField(Subscription subscription);

/// By operation name ("OnUsageUpdatedV2") or root field.
std::optional<Subscription> SubscriptionNamed(std::string_view name);

/// The first root field that a GraphQL document selects; empty when it selects none. Reads no
/// more of the document than that: selections are not followed, all fields are always sent.
std::string_view RootFieldOf(std::string_view document);

}  // namespace sidecar::dev
