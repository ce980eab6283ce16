// The one door into the cache: how what arrives (fetched lists, acknowledged usage) is
// combined with what is held. Newer is never replaced by older.
// Source: design section 7 (order), docs/architecture.md.
#pragma once

#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "cache/entitlement_cache.h"
#include "core/freshness.h"
#include "ports/clock.h"
#include "ports/random.h"
#include "ports/usage_sink.h"

namespace sidecar {

/// Thread-safe.
class RecordDoor {
 public:
  RecordDoor(EntitlementCache& cache, Clock& clock, Random& random, const FreshnessSettings& settings)
      : cache_(cache), clock_(clock), random_(random), settings_(settings) {}

  /// A fetch under way: begun before the request is sent, so that what is acknowledged
  /// meanwhile is known to be newer than what it brings. Ends with its destruction.
  class Fetch {
   public:
    Fetch(Fetch&& other) noexcept;
    Fetch& operator=(Fetch&&) = delete;
    ~Fetch();

    const EntityKey& key() const { return key_; }
    MonoTime started_at() const { return at_; }

   private:
    friend class RecordDoor;
    Fetch(RecordDoor& door, EntityKeyView key);

    RecordDoor* door_;  // nullptr: moved from
    EntityKey key_;
    MonoTime at_;
    WallTime at_wall_;
  };
  Fetch StartFetch(EntityKeyView key) { return {*this, key}; }

  enum class Mode {
    kMerge,    ///< usage that the record held knows to be newer is kept
    kReplace,  ///< reload: what was fetched stands, but for usage acknowledged since it began
  };

  /// Stores what a fetch brought. The outcome's record is what readers see from now on;
  /// nullptr only when the list does not fit the record format.
  EntitlementCache::Outcome Admit(const Fetch& fetch, const CustomerEntitlements& fetched, Mode mode);

  /// Applies acknowledged usage, and the balance of the credit that paid for it, to the
  /// record that is held and to what the fetches under way will bring.
  void ApplyReceipt(const UsageReceipt& receipt);

 private:
  /// The fetches of one key that are under way, and what was acknowledged since the first of
  /// them began: the last receipt of each feature.
  struct Underway {
    size_t fetches = 0;
    std::map<std::string, UsageReceipt> receipts;
  };

  std::map<std::string, UsageReceipt> ReceiptsSince(const Fetch& fetch) const;

  EntitlementCache& cache_;
  Clock& clock_;
  Random& random_;
  const FreshnessSettings settings_;
  mutable absl::Mutex mu_;
  absl::flat_hash_map<EntityKey, Underway> underway_ ABSL_GUARDED_BY(mu_);
};

}  // namespace sidecar
