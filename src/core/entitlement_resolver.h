// The read path beyond a fresh hit: single flight, waiting with a deadline, refresh of
// suspect records within a budget.
// Source: design section 5, restated in docs/architecture.md ("the life of a request").
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "cache/entitlement_cache.h"
#include "core/freshness.h"
#include "core/metrics.h"
#include "core/record_door.h"
#include "ports/clock.h"
#include "ports/entitlement_source.h"
#include "ports/shared_store.h"
#include "ports/timers.h"
#include "ports/trace.h"

namespace sidecar {

struct ResolverSettings {
  FreshnessSettings freshness;
  /// Longest wait of a read for the refresh of a record that it already has.
  Millis read_budget{250};
  /// Longest time one fetch may take, retries included.
  Millis fetch_timeout{10'000};
  size_t fetches_max = 64;    ///< under way at once
  size_t queue_max = 10'000;  ///< fetches waiting for one of those places
  size_t waiters_max = 65'536;
};

/// What a read got in the end.
struct Resolution {
  /// What is known now, however old; nullptr when nothing is. Valid during the call only.
  const Record* record = nullptr;
  /// The record was fetched for this read.
  bool fetched = false;
  /// It was, from the shared store.
  bool shared = false;
};

/// Brings records up to date and tells those who wait for them. Thread-safe.
///
/// Callbacks run exactly once each, on the caller's thread, the source's or the timer
/// thread, with an epoch guard held and no lock; they must not block.
class EntitlementResolver {
 public:
  using Done = absl::AnyInvocable<void(const Resolution&) &&>;

  EntitlementResolver(EntitlementCache& cache, RecordDoor& door, const LiveCover& cover, EntitlementSource& source,
                      EntitlementSource& reload_source, Clock& clock, Timers& timers, Metrics& metrics,
                      const ResolverSettings& settings, SharedStore* shared = nullptr);

  /// How long the caller is willing to wait.
  enum class Patience {
    kDeadline,    ///< it has no usable record: until its deadline
    kReadBudget,  ///< it has a suspect one: for read_budget, and not at all when busy
  };

  /// Fetches the record, or joins a fetch that is under way, and answers at `deadline` at
  /// the latest: at once when that has passed. The fetch itself goes on without those who
  /// wait for it, also while it is queued: its answer still fills the cache.
  /// `age_max`: what the shared store has that is older is not what the caller waits for.
  void Resolve(EntityKeyView key, Patience patience, MonoTime deadline, Done done, Millis age_max = Millis::max());

  /// Fetches the record if it wants a refresh and nobody has asked for one yet; nobody waits
  /// for it. `ended` is called once, when there is nothing under way (any more).
  void RefreshIfSuspect(EntityKeyView key, absl::AnyInvocable<void() &&> ended);

  /// Somebody has changed the record in the shared store: what memory holds of it is read again,
  /// and doubted only if that fails, so that a hit stays one meanwhile.
  void ChangedInShared(EntityKeyView key);

  /// False: neither the shared store nor upstream is to be asked.
  bool available() const { return source_.available() || (shared_ != nullptr && shared_->available()); }

  /// Fetches through the reload source and replaces what is held, whatever its age. The
  /// resolution has no record when that failed. Not joined with other fetches.
  void Reload(EntityKeyView key, MonoTime deadline, Done done);

  const ResolverSettings& settings() const { return settings_; }
  /// Fetches under way or queued, for /status and tests.
  size_t fetches() const;

 private:
  struct Waiter {
    Done done;
    MonoTime deadline;
    Millis age_max;
    Timers::Id timer = Timers::kNone;
    bool budgeted = false;
  };
  struct Flight {
    EntityKey key;
    MonoTime started_at;
    bool started = false;
    bool overran = false;                // a read has stopped waiting for it
    int shared_reads = 0;                // of the shared store
    std::optional<TraceContext> trace;   // of the read that it was made for
    std::map<uint64_t, Waiter> waiters;  // by id, in order of arrival
  };
  using FlightPtr = std::shared_ptr<Flight>;

  /// The flight of the key, made if there is a place for it; nullptr if not. A suspect record
  /// is worth a free place only, a miss one in the queue too.
  FlightPtr JoinOrMakeFlight(EntityKeyView key, bool budgeted, MonoTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  /// Starts fetches, one after the other also when they end at once: a thousand that fail
  /// without being sent must not nest.
  void LaunchAll(std::vector<FlightPtr> flights);
  void Launch(const FlightPtr& flight);
  void ReadShared(const FlightPtr& flight);
  void Reread(const EntityKey& key, int round);
  /// Whether the record has changed since its reading began; then it is read again.
  bool TakeRereadAgain(const EntityKey& key);
  /// False: it has changed meanwhile, and must be read again.
  bool EndReread(const EntityKey& key);
  void OnShared(const FlightPtr& flight, RecordDoor::Fetch fetch, absl::StatusOr<SharedRecord> shared);
  /// `missing`: the shared store does not have the record, and waits for what becomes of this.
  void FetchUpstream(const FlightPtr& flight, RecordDoor::Fetch fetch, bool missing);
  void Land(const FlightPtr& flight, const RecordDoor::Fetch& fetch, bool missing,
            UpstreamResult<CustomerEntitlements> result);
  /// Tells those who wait, and ends the flight and starts what was queued: unless somebody
  /// wants younger data than `age`, who goes on waiting. False: somebody does.
  bool Finish(const FlightPtr& flight, const Resolution& resolution, Millis age);
  /// There is something to answer now, of that age: nobody to whom it is good enough waits longer
  /// than the read budget.
  void ShortenWaits(const FlightPtr& flight, Millis age);
  void TimeOut(const FlightPtr& flight, uint64_t waiter_id);
  void NoteFailure(const EntityKey& key);
  void NoteOverrun(EntityKeyView key, MonoTime now);
  /// Marks flights of the queue as started while there are places.
  std::vector<FlightPtr> TakeStartable() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  /// What is in memory now, for a caller that stops waiting.
  void AnswerFromMemory(EntityKeyView key, Done done);

  EntitlementCache& cache_;
  RecordDoor& door_;
  const LiveCover& cover_;
  EntitlementSource& source_;
  EntitlementSource& reload_source_;
  Clock& clock_;
  Timers& timers_;
  Metrics& metrics_;
  const ResolverSettings settings_;
  SharedStore* const shared_;  // nullptr: there is none

  mutable absl::Mutex mu_;
  absl::flat_hash_map<EntityKey, FlightPtr> flights_ ABSL_GUARDED_BY(mu_);
  std::deque<FlightPtr> queue_ ABSL_GUARDED_BY(mu_);
  /// Records that are read again because they have changed; true: and once more after that.
  absl::flat_hash_map<EntityKey, bool> rereads_ ABSL_GUARDED_BY(mu_);
  size_t under_way_ ABSL_GUARDED_BY(mu_) = 0;
  size_t waiters_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t next_waiter_id_ ABSL_GUARDED_BY(mu_) = 1;
};

}  // namespace sidecar
