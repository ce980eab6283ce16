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

EntitlementCache::Outcome RecordDoor::Admit(EntityKeyView key, const CustomerEntitlements& fetched,
                                            const FetchStart& start, Mode mode) {
  RecordStamp stamp{.origin = RecordOrigin::kUpstream,
                    .fetched_at = start.at,
                    .fetched_at_wall = start.at_wall,
                    .suspect_at = SuspectAt(settings_, start.at, fetched.empty(), random_)};
  return cache_.Update(key, [&](const Record* held) -> RecordPtr {
    if (held == nullptr || mode == Mode::kReplace || !held->changed_at().has_value() ||
        start.at >= *held->changed_at() + kFetchTrumpsAfter) {
      return Record::Build(key, fetched, stamp, cache_.definitions());
    }
    CustomerEntitlements merged = fetched;
    KeepNewerUsage(held->ToValue(), merged);
    stamp.changed_at = held->changed_at();
    return Record::Build(key, merged, stamp, cache_.definitions());
  });
}

void RecordDoor::ApplyReceipt(const UsageReceipt& receipt) {
  const EpochDomain::Guard guard(cache_.epochs());
  const EntityKeyView key = receipt.key.view();
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
