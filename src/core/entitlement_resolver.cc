#include "core/entitlement_resolver.h"

#include <algorithm>
#include <utility>

#include "absl/cleanup/cleanup.h"

namespace sidecar {

EntitlementResolver::EntitlementResolver(EntitlementCache& cache, RecordDoor& door, const LiveCover& cover,
                                         EntitlementSource& source, EntitlementSource& reload_source, Clock& clock,
                                         Timers& timers, Metrics& metrics, const ResolverSettings& settings,
                                         SharedStore* shared)
    : cache_(cache),
      door_(door),
      cover_(cover),
      source_(source),
      reload_source_(reload_source),
      clock_(clock),
      timers_(timers),
      metrics_(metrics),
      settings_(settings),
      shared_(shared) {}

void EntitlementResolver::AnswerFromMemory(EntityKeyView key, Done done) {
  const EpochDomain::Guard guard(cache_.epochs());
  std::move(done)({.record = cache_.Find(key)});
}

void EntitlementResolver::Resolve(EntityKeyView key, Patience patience, MonoTime deadline, Done done, Millis age_max) {
  const MonoTime now = clock_.Now();
  // Not even a flight is made while nobody is to be asked.
  if (!available()) return AnswerFromMemory(key, std::move(done));
  const bool budgeted = patience == Patience::kReadBudget;
  const MonoTime until = budgeted ? std::min(deadline, now + settings_.read_budget) : deadline;
  bool overran = false;
  std::vector<FlightPtr> to_launch;
  {
    absl::MutexLock lock(&mu_);
    if (const FlightPtr flight = JoinOrMakeFlight(key, budgeted, now)) {
      overran = budgeted && flight->started && now - flight->started_at >= settings_.read_budget;
      if (waiters_ >= settings_.waiters_max) {
        metrics_.refused_waiters.Add();
      } else if (until > now && !overran) {
        const uint64_t id = next_waiter_id_++;
        ++waiters_;
        flight->waiters.emplace(id, Waiter{.done = std::move(done),
                                           .deadline = until,
                                           .age_max = age_max,
                                           .timer = timers_.At(until, [this, flight, id] { TimeOut(flight, id); }),
                                           .budgeted = budgeted});
      }
      to_launch = TakeStartable();
    }
  }
  LaunchAll(std::move(to_launch));
  if (!done) return;  // NOLINT(bugprone-use-after-move): what a waiter took is null
  // Nobody took it: no waiting.
  if (overran) NoteOverrun(key, now);
  AnswerFromMemory(key, std::move(done));
}

EntitlementResolver::FlightPtr EntitlementResolver::JoinOrMakeFlight(EntityKeyView key, bool budgeted, MonoTime now) {
  EntityKey owned(key);
  if (const auto found = flights_.find(owned); found != flights_.end()) {
    metrics_.coalesced_reads.Add();
    return found->second;
  }
  if (under_way_ >= settings_.fetches_max) {
    if (budgeted) return nullptr;
    if (queue_.size() >= settings_.queue_max) {
      metrics_.shed_fetches.Add();
      return nullptr;
    }
  }
  auto flight =
      std::make_shared<Flight>(Flight{.key = std::move(owned), .started_at = now, .trace = TraceScope::Current()});
  flights_.emplace(flight->key, flight);
  queue_.push_back(flight);
  return flight;
}

std::vector<EntitlementResolver::FlightPtr> EntitlementResolver::TakeStartable() {
  std::vector<FlightPtr> startable;
  while (under_way_ < settings_.fetches_max && !queue_.empty()) {
    FlightPtr flight = std::move(queue_.front());
    queue_.pop_front();
    flight->started = true;
    flight->started_at = clock_.Now();
    ++under_way_;
    startable.push_back(std::move(flight));
  }
  return startable;
}

void EntitlementResolver::LaunchAll(std::vector<FlightPtr> flights) {
  thread_local std::vector<std::pair<EntitlementResolver*, FlightPtr>>* launching = nullptr;
  std::vector<std::pair<EntitlementResolver*, FlightPtr>> own;
  auto& queue = launching == nullptr ? own : *launching;
  for (FlightPtr& flight : flights) queue.emplace_back(this, std::move(flight));
  if (launching != nullptr) return;  // a fetch ended inside the loop below, further up the stack
  launching = &own;
  const absl::Cleanup done = [] { launching = nullptr; };
  for (size_t i = 0; i < own.size(); ++i) {
    const auto [resolver, flight] = own[i];  // a copy: the vector may grow meanwhile
    resolver->Launch(flight);
  }
}

void EntitlementResolver::Launch(const FlightPtr& flight) {
  if (shared_ != nullptr && shared_->available()) return ReadShared(flight);
  FetchUpstream(flight, door_.StartFetch(flight->key.view()), /*missing=*/false);
}

void EntitlementResolver::ReadShared(const FlightPtr& flight) {
  ++flight->shared_reads;
  shared_->Read(
      flight->key, SharedStore::Intent::kFetch,
      [this, flight, fetch = door_.StartFetch(flight->key.view())](absl::StatusOr<SharedRecord> shared) mutable {
        OnShared(flight, std::move(fetch), std::move(shared));
      });
}

void EntitlementResolver::OnShared(const FlightPtr& flight, RecordDoor::Fetch fetch,
                                   absl::StatusOr<SharedRecord> shared) {
  const bool missing = absl::IsNotFound(shared.status());
  const EpochDomain::Guard guard(cache_.epochs());
  if (missing) {
    // A store that was emptied gets back what is known here, whether upstream answers or not.
    // Not what is doubted itself: others would take it for good.
    const Record* const held = cache_.Find(flight->key.view());
    if (held != nullptr && !held->suspect.load(std::memory_order_relaxed)) {
      shared_->Write(flight->key, held->ToValue(), held->fetched_at());
    }
  }
  if (!shared.ok()) return FetchUpstream(flight, std::move(fetch), missing);
  const Record* const record = door_.AdmitShared(fetch, *shared).current;
  const MonoTime now = clock_.Now();
  const Millis age = record != nullptr ? cover_.AgeOf(*record, now) : Millis(0);
  const bool fresh = record != nullptr && !IsSuspect(*record, now, cover_);
  if (fresh && Finish(flight, {.record = record, .fetched = true, .shared = true}, age)) return;
  // Changed while it was read: what is there now is newer than what upstream would be asked for.
  constexpr int kSharedReadsMax = 3;
  const bool changed = record != nullptr && record->suspect.load(std::memory_order_relaxed);
  if (changed && flight->shared_reads < kSharedReadsMax) {
    { const RecordDoor::Fetch ended = std::move(fetch); }  // the doubts that were meant for it end with it
    return ReadShared(flight);
  }
  if (record != nullptr) ShortenWaits(flight, age);
  FetchUpstream(flight, std::move(fetch), /*missing=*/false);
}

void EntitlementResolver::FetchUpstream(const FlightPtr& flight, RecordDoor::Fetch fetch, bool missing) {
  const TraceScope trace(flight->trace);
  source_.Fetch(flight->key, clock_.Now() + settings_.fetch_timeout,
                [this, flight, missing, fetch = std::move(fetch)](UpstreamResult<CustomerEntitlements> result) mutable {
                  Land(flight, fetch, missing, std::move(result));
                });
}

void EntitlementResolver::Land(const FlightPtr& flight, const RecordDoor::Fetch& fetch, bool missing,
                               UpstreamResult<CustomerEntitlements> result) {
  const EpochDomain::Guard guard(cache_.epochs());
  EntitlementCache::Outcome outcome;
  if (result.ok()) {
    outcome = door_.Admit(fetch, result.value(), RecordDoor::Mode::kMerge);
    if (shared_ != nullptr) shared_->Write(flight->key, result.value(), fetch.started_at());
  } else {
    NoteFailure(flight->key);
    outcome.current = cache_.Find(flight->key.view());
  }
  if (missing) shared_->FetchEnded(flight->key, result.ok());
  Finish(flight, {.record = outcome.current, .fetched = result.ok()}, Millis(0));
}

bool EntitlementResolver::Finish(const FlightPtr& flight, const Resolution& resolution, Millis age) {
  std::map<uint64_t, Waiter> told;
  std::vector<FlightPtr> to_launch;
  bool ended = false;
  {
    absl::MutexLock lock(&mu_);
    told.swap(flight->waiters);
    for (auto it = told.begin(); it != told.end();) {
      const auto waiter = it++;
      if (waiter->second.age_max < age) flight->waiters.insert(told.extract(waiter));
    }
    waiters_ -= told.size();
    ended = flight->waiters.empty();
    if (ended) {
      flights_.erase(flight->key);
      --under_way_;
      to_launch = TakeStartable();
    }
  }
  LaunchAll(std::move(to_launch));
  for (auto& [id, waiter] : told) {
    timers_.Cancel(waiter.timer);
    std::move(waiter.done)(resolution);
  }
  return ended;
}

void EntitlementResolver::ShortenWaits(const FlightPtr& flight, Millis age) {
  const MonoTime until = clock_.Now() + settings_.read_budget;
  absl::MutexLock lock(&mu_);
  for (auto& [id, waiter] : flight->waiters) {
    if (waiter.budgeted || waiter.age_max < age) continue;
    waiter.budgeted = true;
    if (waiter.deadline <= until) continue;
    waiter.deadline = until;
    timers_.Cancel(waiter.timer);
    waiter.timer = timers_.At(until, [this, flight, id = id] { TimeOut(flight, id); });
  }
}

void EntitlementResolver::TimeOut(const FlightPtr& flight, uint64_t waiter_id) {
  Done done;
  bool budgeted = false;
  bool too_slow = false;
  {
    absl::MutexLock lock(&mu_);
    const auto waiter = flight->waiters.find(waiter_id);
    if (waiter == flight->waiters.end()) return;  // it was answered in this very moment
    done = std::move(waiter->second.done);
    budgeted = waiter->second.budgeted;
    too_slow = budgeted && flight->started && !std::exchange(flight->overran, true);
    flight->waiters.erase(waiter);
    --waiters_;
  }
  if (too_slow) source_.NoteTooSlow(flight->key);
  if (budgeted) NoteOverrun(flight->key.view(), clock_.Now());
  AnswerFromMemory(flight->key.view(), std::move(done));
}

void EntitlementResolver::NoteOverrun(EntityKeyView key, MonoTime now) {
  const EpochDomain::Guard guard(cache_.epochs());
  if (const Record* const record = cache_.Find(key)) HoldOff(*record, settings_.freshness, now);
}

void EntitlementResolver::NoteFailure(const EntityKey& key) {
  if (const Record* const record = cache_.Find(key.view())) BackOff(*record, settings_.freshness, clock_.Now());
}

void EntitlementResolver::RefreshIfSuspect(EntityKeyView key, absl::AnyInvocable<void() &&> ended) {
  const MonoTime now = clock_.Now();
  {
    const EpochDomain::Guard guard(cache_.epochs());
    const Record* const record = cache_.Find(key);
    if (record == nullptr || !IsSuspect(*record, now, cover_) || !MayRefresh(*record, now)) return std::move(ended)();
  }
  Resolve(key, Patience::kDeadline, now + settings_.fetch_timeout,
          [ended = std::move(ended)](const Resolution&) mutable { std::move(ended)(); });
}

void EntitlementResolver::ChangedInShared(EntityKeyView key) {
  door_.DoubtFetches(key);
  {
    const EpochDomain::Guard guard(cache_.epochs());
    if (cache_.Find(key) == nullptr) return;
  }
  EntityKey owned(key);
  {
    absl::MutexLock lock(&mu_);
    const auto [reread, first] = rereads_.emplace(owned, false);
    if (!first) {
      reread->second = true;  // once more, when the one under way has ended
      return;
    }
  }
  Reread(owned, /*round=*/0);
}

void EntitlementResolver::Reread(const EntityKey& key, int round) {
  shared_->Read(key, SharedStore::Intent::kLook,
                [this, key, round,
                 fetch = std::optional(door_.StartFetch(key.view()))](absl::StatusOr<SharedRecord> shared) mutable {
                  // It has changed again: what was read is not worth keeping, unless that never ends.
                  constexpr int kRoundsMax = 3;
                  if (round < kRoundsMax && TakeRereadAgain(key)) {
                    fetch.reset();  // the doubts that were meant for it end with it
                    return Reread(key, round + 1);
                  }
                  {
                    const EpochDomain::Guard guard(cache_.epochs());
                    if (shared.ok()) {
                      door_.AdmitShared(*fetch, *shared);
                    } else if (shared_->available()) {
                      door_.Apply(ListPush{.key = key});  // something has changed, and nobody says what
                    }                                     // else everything is doubted when the store is there again
                  }
                  fetch.reset();
                  if (!EndReread(key)) Reread(key, 0);
                });
}

bool EntitlementResolver::TakeRereadAgain(const EntityKey& key) {
  absl::MutexLock lock(&mu_);
  return std::exchange(rereads_.find(key)->second, false);
}

bool EntitlementResolver::EndReread(const EntityKey& key) {
  absl::MutexLock lock(&mu_);
  const auto reread = rereads_.find(key);
  if (std::exchange(reread->second, false)) return false;
  rereads_.erase(reread);
  return true;
}

void EntitlementResolver::Reload(EntityKeyView key, MonoTime deadline, Done done) {
  reload_source_.Fetch(EntityKey(key), deadline,
                       [this, fetch = door_.StartFetch(key),
                        done = std::move(done)](UpstreamResult<CustomerEntitlements> result) mutable {
                         const EpochDomain::Guard guard(cache_.epochs());
                         if (!result.ok()) return std::move(done)({});
                         const EntitlementCache::Outcome outcome =
                             door_.Admit(fetch, result.value(), RecordDoor::Mode::kReplace);
                         if (shared_ != nullptr) shared_->Write(fetch.key(), result.value(), fetch.started_at());
                         std::move(done)({.record = outcome.current, .fetched = true});
                       });
}

size_t EntitlementResolver::fetches() const {
  absl::MutexLock lock(&mu_);
  return flights_.size();
}

}  // namespace sidecar
