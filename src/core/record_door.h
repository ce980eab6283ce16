// The one door into the cache: how what arrives (fetched lists, pushes, acknowledged usage) is
// combined with what is held. Newer is never replaced by older.
// Source: design section 7 (order), docs/architecture.md.
#pragma once

#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "cache/entitlement_cache.h"
#include "core/freshness.h"
#include "core/live_cover.h"
#include "core/record_changes.h"
#include "ports/clock.h"
#include "ports/random.h"
#include "ports/shared_store.h"

namespace sidecar {

/// Thread-safe.
class RecordDoor {
 public:
  RecordDoor(EntitlementCache& cache, Clock& clock, Random& random, const LiveCover& cover,
             const FreshnessSettings& settings)
      : cache_(cache), clock_(clock), random_(random), cover_(cover), settings_(settings) {}

  /// A fetch under way: begun before the request is sent, so that what arrives
  /// meanwhile can be applied again on top of what it brings. Ends with its destruction.
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
    kMerge,    ///< what the record held knows to be newer is kept, a later list as a whole
    kReplace,  ///< reload: what was fetched stands, but for what arrived since it began
  };

  /// Stores what a fetch brought. The outcome's record is what readers see from now on;
  /// nullptr only when the list does not fit the record format.
  EntitlementCache::Outcome Admit(const Fetch& fetch, const CustomerEntitlements& fetched, Mode mode);

  /// The fetches of the key that are under way may bring what is out of date by now: the record
  /// that they bring is doubted.
  void DoubtFetches(EntityKeyView key);

  /// Combines what the shared store has with what is held: the one that was asked for later,
  /// with what the other knows to be newer.
  EntitlementCache::Outcome AdmitShared(const Fetch& fetch, const SharedRecord& shared);

  /// Applies a change to the record that is held, if there is one, and to what the fetches
  /// under way will bring.
  void Apply(RecordChange change);

 private:
  /// What arrived while fetches were under way, in order.
  struct Missed {
    std::vector<RecordChange> changes;
    bool too_many = false;
    bool landed = false;  // another fetch brought its list
  };
  /// The fetches of one key that are under way.
  struct Underway {
    size_t fetches = 0;
    Missed missed;
  };

  Missed ChangesSince(const Fetch& fetch) const;
  /// Applies what the fetch missed, and stamps it if that changed anything; whether its outcome is doubtful.
  bool Catch(const Missed& missed, CustomerEntitlements& value, RecordStamp& stamp) const;
  RecordPtr BuildRecord(EntityKeyView key, const CustomerEntitlements& value, const RecordStamp& stamp,
                        bool doubted) const;
  void NoteLanded(const EntityKey& key);
  RecordStamp StampOf(MonoTime at, WallTime at_wall, bool negative) const;

  EntitlementCache& cache_;
  Clock& clock_;
  Random& random_;
  const LiveCover& cover_;
  const FreshnessSettings settings_;
  mutable absl::Mutex mu_;
  absl::flat_hash_map<EntityKey, Underway> underway_ ABSL_GUARDED_BY(mu_);
};

}  // namespace sidecar
