// How what arrives beside fetches (pushes, acknowledged usage) changes a list, and in which
// order. Pure functions.
// Source: design section 7 (order), docs/protocol.md section 3.3, docs/architecture.md ("order").
#pragma once

#include <variant>

#include "domain/entitlement.h"
#include "ports/change_feed.h"
#include "ports/usage_sink.h"

namespace sidecar {

/// What can happen to one record.
using RecordChange = std::variant<UsageReceipt, ListPush, UsagePush, BalancePush>;

const EntityKey& KeyOf(const RecordChange& change);

enum class ChangeEffect : uint8_t {
  kNone,      ///< older than what is there, or about what is not there
  kAmended,   ///< `value` has changed
  kReplaced,  ///< `value` is a whole new list
  kDoubted,   ///< nothing can be said but that the list may be out of date
};

/// Applies the change to `value`.
///  - An older list never replaces a newer one, older usage never newer usage; equal times
///    and times that are missing replace.
///  - A pushed list keeps usage that is known to be newer, feature by feature.
///  - An empty list without a reason, and anything about an empty list, only raises doubt.
ChangeEffect ApplyChange(const RecordChange& change, CustomerEntitlements& value);

/// Keeps in `fetched` what `held` knows to be newer: the list as a whole, or usage feature
/// by feature.
void KeepNewer(const CustomerEntitlements& held, CustomerEntitlements& fetched);

}  // namespace sidecar
