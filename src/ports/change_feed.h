// Upstream's stream of changes, whatever carries it.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "absl/functional/any_invocable.h"
#include "domain/entitlement.h"
#include "domain/entity_key.h"
#include "domain/time.h"

namespace sidecar {

/// The whole list of one customer or resource.
struct ListPush {
  EntityKey key;
  CustomerEntitlements entitlements;
};

/// Usage of one feature, or (V2) of one currency.
struct UsagePush {
  EntityKey key;
  std::string id;  ///< of the feature, or of the currency
  bool credit = false;
  double current_usage = 0;
  std::optional<WallTime> period_start;
  std::optional<WallTime> period_end;
  std::optional<WallTime> updated_at;  ///< V1 has none
};

/// Balance of one currency (V1): the features that it pays for follow.
struct BalancePush {
  EntityKey key;
  std::string currency_id;
  double balance = 0;
  std::optional<WallTime> valid_until;
};

/// Something was published to all customers: any record may be out of date.
struct CatalogPush {};

using Push = std::variant<ListPush, UsagePush, BalancePush, CatalogPush>;

/// Who hears of changes. Called from one thread at a time; must not block.
class ChangeSink {
 public:
  virtual ~ChangeSink() = default;

  /// From now on every change is pushed. What changed before may have been missed.
  virtual void OnLive() = 0;
  /// From now on changes are missed. Follows every OnLive but the last.
  virtual void OnLost() = 0;
  /// Between OnLive and OnLost.
  virtual void OnPush(Push push) = 0;
};

/// Delivers changes to a sink until it is stopped; connects again by itself. Thread-safe.
class ChangeFeed {
 public:
  virtual ~ChangeFeed() = default;

  /// Once, and again after each Stop's `done`. `sink` must outlive that.
  virtual void Start(ChangeSink& sink) = 0;

  /// Ends the connection in an orderly way; `done` is called once, soon (within a second)
  /// even when the peer says nothing. Nothing is delivered after it.
  virtual void Stop(absl::AnyInvocable<void() &&> done) = 0;
};

}  // namespace sidecar
