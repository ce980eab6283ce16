#include "core/entitlement_resolver.h"

#include <algorithm>
#include <utility>

namespace sidecar {

EntitlementResolver::EntitlementResolver(EntitlementCache& cache, RecordDoor& door, EntitlementSource& source,
                                         EntitlementSource& reload_source, Clock& clock, Timers& timers,
                                         Metrics& metrics, const ResolverSettings& settings)
    : cache_(cache),
      door_(door),
      source_(source),
      reload_source_(reload_source),
      clock_(clock),
      timers_(timers),
      metrics_(metrics),
      settings_(settings) {}

void EntitlementResolver::AnswerFromMemory(EntityKeyView key, Done done) {
  const EpochDomain::Guard guard(cache_.epochs());
  std::move(done)({.record = cache_.Find(key)});
}

void EntitlementResolver::Resolve(EntityKeyView key, Patience patience, MonoTime deadline, Done done) {
  const MonoTime now = clock_.Now();
  const bool budgeted = patience == Patience::kReadBudget;
  const MonoTime until = budgeted ? std::min(deadline, now + settings_.read_budget) : deadline;
  std::vector<FlightPtr> to_launch;
  {
    absl::MutexLock lock(&mu_);
    const auto found = flights_.find(EntityKey(key));
    const bool join = found != flights_.end();
    const bool busy = under_way_ >= settings_.fetches_max;
    const bool overran = join && now - found->second->started_at >= settings_.read_budget;
    const bool refuse_waiting = waiters_ >= settings_.waiters_max || until <= now;
    if (budgeted ? (refuse_waiting || (join ? overran : busy)) : refuse_waiting) {
      if (waiters_ >= settings_.waiters_max) metrics_.refused_waiters.Add();
    } else if (!join && busy && queue_.size() >= settings_.queue_max) {
      metrics_.shed_fetches.Add();
    } else {
      FlightPtr flight;
      if (join) {
        flight = found->second;
        metrics_.coalesced_reads.Add();
      } else {
        flight = std::make_shared<Flight>(Flight{.key = EntityKey(key), .started_at = now});
        flights_.emplace(flight->key, flight);
        queue_.push_back(flight);
      }
      const uint64_t id = next_waiter_id_++;
      ++waiters_;
      flight->waiters.emplace(id, Waiter{.done = std::move(done),
                                         .timer = timers_.At(until, [this, flight, id] { TimeOut(flight, id); }),
                                         .budgeted = budgeted});
      to_launch = TakeStartable();
    }
  }
  for (FlightPtr& flight : to_launch) Launch(std::move(flight));
  if (done) AnswerFromMemory(key, std::move(done));  // nobody took it: do not wait
}

std::vector<EntitlementResolver::FlightPtr> EntitlementResolver::TakeStartable() {
  std::vector<FlightPtr> startable;
  while (under_way_ < settings_.fetches_max && !queue_.empty()) {
    FlightPtr flight = std::move(queue_.front());
    queue_.pop_front();
    if (flight->waiters.empty()) continue;  // all gave up while it was queued
    flight->started = true;
    flight->started_at = clock_.Now();
    ++under_way_;
    startable.push_back(std::move(flight));
  }
  return startable;
}

void EntitlementResolver::Launch(FlightPtr flight) {
  RecordDoor::Fetch fetch = door_.StartFetch(flight->key.view());
  const MonoTime deadline = fetch.started_at() + settings_.fetch_timeout;
  source_.Fetch(flight->key, deadline,
                [this, flight, fetch = std::move(fetch)](UpstreamResult<CustomerEntitlements> result) mutable {
                  Land(flight, fetch, std::move(result));
                });
}

void EntitlementResolver::Land(const FlightPtr& flight, const RecordDoor::Fetch& fetch,
                               UpstreamResult<CustomerEntitlements> result) {
  const EpochDomain::Guard guard(cache_.epochs());
  EntitlementCache::Outcome outcome;
  if (result.ok()) {
    outcome = door_.Admit(fetch, result.value(), RecordDoor::Mode::kMerge);
  } else {
    NoteFailure(flight->key);
    outcome.current = cache_.Find(flight->key.view());
  }

  std::map<uint64_t, Waiter> waiters;
  std::vector<FlightPtr> to_launch;
  {
    absl::MutexLock lock(&mu_);
    flights_.erase(flight->key);
    waiters.swap(flight->waiters);
    waiters_ -= waiters.size();
    --under_way_;
    to_launch = TakeStartable();
  }
  for (FlightPtr& next : to_launch) Launch(std::move(next));
  const Resolution resolution{.record = outcome.current, .fetched = result.ok()};
  for (auto& [id, waiter] : waiters) {
    timers_.Cancel(waiter.timer);
    std::move(waiter.done)(resolution);
  }
}

void EntitlementResolver::TimeOut(const FlightPtr& flight, uint64_t waiter_id) {
  Done done;
  bool budgeted = false;
  {
    absl::MutexLock lock(&mu_);
    const auto waiter = flight->waiters.find(waiter_id);
    if (waiter == flight->waiters.end()) return;  // it was answered in this very moment
    done = std::move(waiter->second.done);
    budgeted = waiter->second.budgeted;
    flight->waiters.erase(waiter);
    --waiters_;
    // A fetch that still waits for a place and that nobody waits for any more is dropped.
    if (flight->waiters.empty() && !flight->started) flights_.erase(flight->key);
  }
  const EpochDomain::Guard guard(cache_.epochs());
  const Record* const record = cache_.Find(flight->key.view());
  if (budgeted && record != nullptr) record->refresh_overran.store(true, std::memory_order_relaxed);
  std::move(done)({.record = record});
}

void EntitlementResolver::NoteFailure(const EntityKey& key) {
  if (const Record* const record = cache_.Find(key.view())) BackOff(*record, settings_.freshness, clock_.Now());
}

void EntitlementResolver::Reload(EntityKeyView key, MonoTime deadline, Done done) {
  reload_source_.Fetch(EntityKey(key), deadline,
                       [this, fetch = door_.StartFetch(key),
                        done = std::move(done)](UpstreamResult<CustomerEntitlements> result) mutable {
                         const EpochDomain::Guard guard(cache_.epochs());
                         if (!result.ok()) return std::move(done)({});
                         const EntitlementCache::Outcome outcome =
                             door_.Admit(fetch, result.value(), RecordDoor::Mode::kReplace);
                         std::move(done)({.record = outcome.current, .fetched = true});
                       });
}

size_t EntitlementResolver::fetches() const {
  absl::MutexLock lock(&mu_);
  return flights_.size();
}

}  // namespace sidecar
