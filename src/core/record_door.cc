#include "core/record_door.h"

#include <utility>

namespace sidecar {
namespace {

/// A fetch that starts this long after the last local change is trusted in full: upstream
/// has had time to count what it acknowledged.
constexpr Millis kFetchTrumpsAfter{60'000};

/// Changes of one key that are kept for its fetches under way; beyond that the record that
/// they bring is doubted instead.
constexpr size_t kChangesKeptMax = 256;

bool IsNewerList(const CustomerEntitlements& fetched, const Record& held) {
  return fetched.updated_at.has_value() && held.updated_at().has_value() && *fetched.updated_at > *held.updated_at();
}

}  // namespace

RecordDoor::Fetch::Fetch(RecordDoor& door, EntityKeyView key)
    : door_(&door), key_(key), at_(door.clock_.Now()), at_wall_(door.clock_.WallNow()) {
  absl::MutexLock lock(&door.mu_);
  ++door.underway_[key_].fetches;
}

RecordDoor::Fetch::Fetch(Fetch&& other) noexcept
    : door_(std::exchange(other.door_, nullptr)),
      key_(std::move(other.key_)),
      at_(other.at_),
      at_wall_(other.at_wall_) {}

RecordDoor::Fetch::~Fetch() {
  if (door_ == nullptr) return;
  absl::MutexLock lock(&door_->mu_);
  const auto found = door_->underway_.find(key_);
  if (--found->second.fetches == 0) door_->underway_.erase(found);
}

RecordDoor::Missed RecordDoor::ChangesSince(const Fetch& fetch) const {
  absl::MutexLock lock(&mu_);
  return underway_.at(fetch.key_).missed;
}

RecordStamp RecordDoor::StampOf(MonoTime at, WallTime at_wall, bool negative) const {
  return {.origin = RecordOrigin::kUpstream,
          .fetched_at = at,
          .fetched_at_wall = at_wall,
          .suspect_at = SuspectAt(settings_, at, negative, cover_.Covers(at), random_)};
}

void RecordDoor::NoteLanded(const EntityKey& key) {
  absl::MutexLock lock(&mu_);
  Underway& underway = underway_.at(key);
  if (underway.fetches > 1) underway.missed.landed = true;
}

EntitlementCache::Outcome RecordDoor::Admit(const Fetch& fetch, const CustomerEntitlements& fetched, Mode mode) {
  const EntityKeyView key = fetch.key_.view();
  // Before the cache is changed: a fetch that overlaps with this one is admitted with care.
  NoteLanded(fetch.key_);
  return cache_.Update(key, [&](const Record* held) -> RecordPtr {
    // Looked up while the cache is held: a change that comes later finds the new record.
    const Missed missed = ChangesSince(fetch);
    // A list that was asked for, or pushed, after this fetch began is the newer one, unless
    // the dates say otherwise.
    const bool held_is_later = held != nullptr && held->fetched_at() > fetch.at_;
    if (held_is_later && mode == Mode::kMerge && !IsNewerList(fetched, *held)) return nullptr;
    // A reload replaces what it found, but of two fetches that overlap the dates decide: the
    // one that was asked for later may have been answered from an earlier state.
    const bool merge = held != nullptr && (mode == Mode::kMerge || missed.landed);
    const bool keep =
        merge &&
        (missed.landed || (held->changed_at().has_value() && fetch.at_ < *held->changed_at() + kFetchTrumpsAfter));
    if (!keep && missed.changes.empty() && !missed.too_many) {
      return Record::Build(key, fetched, StampOf(fetch.at_, fetch.at_wall_, fetched.empty()), cache_.definitions());
    }
    CustomerEntitlements merged = fetched;
    RecordStamp changed;
    if (keep) {
      KeepNewer(held->ToValue(), merged);
      changed.changed_at = held->changed_at();
    }
    const bool doubted = Catch(missed, merged, changed);
    RecordStamp stamp = StampOf(fetch.at_, fetch.at_wall_, merged.empty());
    stamp.changed_at = changed.changed_at;
    return BuildRecord(key, merged, stamp, doubted);
  });
}

bool RecordDoor::Catch(const Missed& missed, CustomerEntitlements& value, RecordStamp& stamp) const {
  bool doubted = missed.too_many;
  for (const RecordChange& change : missed.changes) {
    const ChangeEffect effect = ApplyChange(change, value);
    doubted |= effect == ChangeEffect::kDoubted;
    if (effect == ChangeEffect::kAmended || effect == ChangeEffect::kReplaced) stamp.changed_at = clock_.Now();
  }
  return doubted;
}

RecordPtr RecordDoor::BuildRecord(EntityKeyView key, const CustomerEntitlements& value, const RecordStamp& stamp,
                                  bool doubted) const {
  RecordPtr record = Record::Build(key, value, stamp, cache_.definitions());
  if (record != nullptr && doubted) record->suspect.store(true, std::memory_order_relaxed);
  return record;
}

void RecordDoor::DoubtFetches(EntityKeyView key) {
  absl::MutexLock lock(&mu_);
  const auto found = underway_.find(EntityKey(key));
  if (found != underway_.end()) found->second.missed.too_many = true;
}

EntitlementCache::Outcome RecordDoor::AdmitShared(const Fetch& fetch, const SharedRecord& shared) {
  const EntityKeyView key = fetch.key_.view();
  NoteLanded(fetch.key_);
  const Millis age = shared.age.value_or(Millis(0));
  const MonoTime at = fetch.at_ - age;
  return cache_.Update(key, [&](const Record* held) -> RecordPtr {
    if (held != nullptr && held->fetched_at() > at) {
      const CustomerEntitlements before = held->ToValue();
      CustomerEntitlements combined = before;
      KeepNewer(shared.entitlements, combined);
      if (combined == before) return nullptr;
      RecordPtr amended = Record::Build(key, combined, held->stamp(), cache_.definitions());
      if (amended != nullptr) amended->TakeRefreshState(*held);
      return amended;
    }
    const Missed missed = ChangesSince(fetch);
    CustomerEntitlements combined = shared.entitlements;
    RecordStamp stamp{.origin = RecordOrigin::kRedis, .fetched_at = at, .fetched_at_wall = fetch.at_wall_ - age};
    if (held != nullptr) {
      KeepNewer(held->ToValue(), combined);
      stamp.changed_at = held->changed_at();
    }
    const bool doubted = Catch(missed, combined, stamp);
    const bool covered = !shared.age.has_value() && cover_.Covers(at);
    stamp.suspect_at = SuspectAt(settings_, at, combined.empty(), covered, random_);
    return BuildRecord(key, combined, stamp, doubted);
  });
}

void RecordDoor::Apply(RecordChange change) {
  const EpochDomain::Guard guard(cache_.epochs());
  const EntityKey key = KeyOf(change);
  {
    // Before the cache is changed: whoever admits a fetch after that finds it here.
    absl::MutexLock lock(&mu_);
    const auto found = underway_.find(key);
    if (found != underway_.end()) {
      Missed& missed = found->second.missed;
      missed.too_many |= missed.changes.size() >= kChangesKeptMax;
      if (!missed.too_many) missed.changes.push_back(change);
    }
  }
  cache_.Update(key.view(), [&](const Record* held) -> RecordPtr {
    if (held == nullptr) return nullptr;
    CustomerEntitlements value = held->ToValue();
    RecordStamp stamp = held->stamp();
    const ChangeEffect effect = ApplyChange(change, value);
    switch (effect) {
      case ChangeEffect::kNone:
        return nullptr;
      case ChangeEffect::kDoubted:
        held->suspect.store(true, std::memory_order_relaxed);
        return nullptr;
      case ChangeEffect::kAmended:
        break;
      case ChangeEffect::kReplaced:
        stamp = StampOf(clock_.Now(), clock_.WallNow(), value.empty());
        break;
    }
    stamp.changed_at = clock_.Now();
    RecordPtr changed = Record::Build(key.view(), value, stamp, cache_.definitions());
    if (changed != nullptr && effect == ChangeEffect::kAmended) changed->TakeRefreshState(*held);
    return changed;
  });
}

}  // namespace sidecar
