#include "core/record_door.h"

#include <utility>

namespace sidecar {
namespace {

/// A fetch that starts this long after the last local change is trusted in full: upstream
/// has had time to count what it acknowledged.
constexpr Millis kFetchTrumpsAfter{60'000};

/// Whether usage dated `candidate` is newer than usage dated `held`.
bool IsNewer(std::optional<WallTime> candidate, std::optional<WallTime> held) {
  return candidate.has_value() && (!held.has_value() || *candidate > *held);
}

/// Whether an acknowledgement dated `candidate` may replace usage dated `held`: equal and
/// undated ones do.
bool MayReplace(std::optional<WallTime> candidate, std::optional<WallTime> held) {
  return !candidate.has_value() || !held.has_value() || *candidate >= *held;
}

FeatureEntitlement* FindFeature(CustomerEntitlements& value, std::string_view id) {
  for (FeatureEntitlement& feature : value.features) {
    if (feature.feature.id == id) return &feature;
  }
  return nullptr;
}

CreditEntitlement* FindCredit(CustomerEntitlements& value, std::string_view id) {
  for (CreditEntitlement& credit : value.credits) {
    if (credit.currency.id == id) return &credit;
  }
  return nullptr;
}

/// Keeps usage that `held` knows to be newer than what was fetched.
void KeepNewerUsage(const CustomerEntitlements& held, CustomerEntitlements& fetched) {
  for (const FeatureEntitlement& old : held.features) {
    FeatureEntitlement* const feature = FindFeature(fetched, old.feature.id);
    if (feature == nullptr || !IsNewer(old.usage_updated_at, feature->usage_updated_at)) continue;
    feature->current_usage = old.current_usage;
    feature->period.start = old.period.start;
    feature->period.end = old.period.end;
    feature->usage_updated_at = old.usage_updated_at;
  }
  for (const CreditEntitlement& old : held.credits) {
    CreditEntitlement* const credit = FindCredit(fetched, old.currency.id);
    if (credit == nullptr || !IsNewer(old.usage_updated_at, credit->usage_updated_at)) continue;
    credit->current_usage = old.current_usage;
    credit->usage_period_end = old.usage_period_end;
    credit->usage_updated_at = old.usage_updated_at;
  }
}

/// A feature paid for from a credit is denied by an empty balance, and exactly that denial
/// is lifted by a later positive one (docs/protocol.md section 13.8).
void FollowBalance(CustomerEntitlements& value, const CreditEntitlement& credit) {
  const bool exhausted = credit.usage_limit - credit.current_usage <= 0 && !credit.soft_limit;
  for (FeatureEntitlement& feature : value.features) {
    if (!feature.credit_rate.has_value() || feature.credit_rate->currency_id != credit.currency.id) continue;
    if (exhausted && feature.denied_reason == DeniedReason::kNone) {
      feature.denied_reason = DeniedReason::kInsufficientCredits;
    } else if (!exhausted && feature.denied_reason == DeniedReason::kInsufficientCredits) {
      feature.denied_reason = DeniedReason::kNone;
    }
  }
}

/// Writes the receipt into `value`; false when it is older than what is there, or about
/// something that is not there.
bool WriteReceipt(const UsageReceipt& receipt, CustomerEntitlements& value) {
  bool changed = false;
  FeatureEntitlement* const feature = FindFeature(value, receipt.feature_id);
  if (feature != nullptr && receipt.current_usage.has_value() &&
      MayReplace(receipt.timestamp, feature->usage_updated_at)) {
    feature->current_usage = *receipt.current_usage;
    feature->period.start = receipt.period_start;
    feature->period.end = receipt.period_end;
    if (receipt.timestamp.has_value()) feature->usage_updated_at = receipt.timestamp;
    changed = true;
  }
  if (receipt.credit.has_value()) {
    CreditEntitlement* const credit = FindCredit(value, receipt.credit->currency_id);
    if (credit != nullptr && MayReplace(receipt.credit->timestamp, credit->usage_updated_at)) {
      credit->current_usage = receipt.credit->current_usage;
      credit->usage_period_end = receipt.credit->usage_period_end;
      if (receipt.credit->timestamp.has_value()) credit->usage_updated_at = receipt.credit->timestamp;
      FollowBalance(value, *credit);
      changed = true;
    }
  }
  return changed;
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

std::map<std::string, UsageReceipt> RecordDoor::ReceiptsSince(const Fetch& fetch) const {
  absl::MutexLock lock(&mu_);
  return underway_.at(fetch.key_).receipts;
}

EntitlementCache::Outcome RecordDoor::Admit(const Fetch& fetch, const CustomerEntitlements& fetched, Mode mode) {
  const EntityKeyView key = fetch.key_.view();
  RecordStamp stamp{.origin = RecordOrigin::kUpstream,
                    .fetched_at = fetch.at_,
                    .fetched_at_wall = fetch.at_wall_,
                    .suspect_at = SuspectAt(settings_, fetch.at_, fetched.empty(), random_)};
  return cache_.Update(key, [&](const Record* held) -> RecordPtr {
    // Looked up while the cache is held: a receipt that comes later finds the new record.
    const std::map<std::string, UsageReceipt> receipts = ReceiptsSince(fetch);
    const bool keep = held != nullptr && mode == Mode::kMerge && held->changed_at().has_value() &&
                      fetch.at_ < *held->changed_at() + kFetchTrumpsAfter;
    if (receipts.empty() && !keep) return Record::Build(key, fetched, stamp, cache_.definitions());
    CustomerEntitlements merged = fetched;
    if (keep) {
      KeepNewerUsage(held->ToValue(), merged);
      stamp.changed_at = held->changed_at();
    }
    for (const auto& [feature, receipt] : receipts) {
      if (WriteReceipt(receipt, merged)) stamp.changed_at = clock_.Now();
    }
    return Record::Build(key, merged, stamp, cache_.definitions());
  });
}

void RecordDoor::ApplyReceipt(const UsageReceipt& receipt) {
  const EpochDomain::Guard guard(cache_.epochs());
  const EntityKeyView key = receipt.key.view();
  {
    // Before the cache is changed: whoever admits a fetch after that finds it here.
    absl::MutexLock lock(&mu_);
    const auto found = underway_.find(receipt.key);
    if (found != underway_.end()) {
      const auto [known, is_new] = found->second.receipts.try_emplace(receipt.feature_id, receipt);
      if (!is_new && MayReplace(receipt.timestamp, known->second.timestamp)) known->second = receipt;
    }
  }
  cache_.Update(key, [&](const Record* held) -> RecordPtr {
    if (held == nullptr) return nullptr;
    CustomerEntitlements value = held->ToValue();
    if (!WriteReceipt(receipt, value)) return nullptr;
    RecordStamp stamp = held->stamp();
    stamp.changed_at = clock_.Now();
    RecordPtr changed = Record::Build(key, value, stamp, cache_.definitions());
    if (changed != nullptr) changed->TakeRefreshState(*held);
    return changed;
  });
}

}  // namespace sidecar
