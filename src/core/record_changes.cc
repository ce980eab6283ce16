#include "core/record_changes.h"

#include <utility>

namespace sidecar {
namespace {

/// Whether what is dated `candidate` is newer than what is dated `held`.
bool IsNewer(std::optional<WallTime> candidate, std::optional<WallTime> held) {
  return candidate.has_value() && (!held.has_value() || *candidate > *held);
}

/// Whether a change dated `candidate` may replace what is dated `held`: equal and undated
/// ones do.
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

/// A feature paid for from a credit is denied by an empty balance, and exactly that denial
/// is lifted by a later positive one (docs/protocol.md section 13.8). Where the list has the
/// credit itself (V2) the denial is decided on each read, and only the lifting is written.
bool FollowBalance(CustomerEntitlements& value, std::string_view currency_id, bool exhausted) {
  bool changed = false;
  for (FeatureEntitlement& feature : value.features) {
    if (!feature.credit_rate.has_value() || feature.credit_rate->currency_id != currency_id) continue;
    if (exhausted && feature.denied_reason == DeniedReason::kNone) {
      feature.denied_reason = DeniedReason::kInsufficientCredits;
      changed = true;
    } else if (!exhausted && feature.denied_reason == DeniedReason::kInsufficientCredits) {
      feature.denied_reason = DeniedReason::kNone;
      changed = true;
    }
  }
  return changed;
}

bool IsExhausted(const CreditEntitlement& credit) {
  return credit.usage_limit - credit.current_usage <= 0 && !credit.soft_limit;
}

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
    if (!IsExhausted(*credit)) FollowBalance(fetched, old.currency.id, /*exhausted=*/false);
  }
}

/// What usage and receipts say of one feature or currency.
struct Usage {
  double current = 0;
  std::optional<WallTime> start;
  std::optional<WallTime> end;
  std::optional<WallTime> at;
};

bool WriteUsage(const Usage& usage, FeatureEntitlement* feature) {
  if (feature == nullptr || !MayReplace(usage.at, feature->usage_updated_at)) return false;
  feature->current_usage = usage.current;
  feature->period.start = usage.start;
  feature->period.end = usage.end;
  if (usage.at.has_value()) feature->usage_updated_at = usage.at;
  return true;
}

bool WriteCredit(const Usage& usage, std::string_view currency_id, CustomerEntitlements& value) {
  CreditEntitlement* const credit = FindCredit(value, currency_id);
  if (credit == nullptr || !MayReplace(usage.at, credit->usage_updated_at)) return false;
  credit->current_usage = usage.current;
  credit->usage_period_end = usage.end;
  if (usage.at.has_value()) credit->usage_updated_at = usage.at;
  if (!IsExhausted(*credit)) FollowBalance(value, currency_id, /*exhausted=*/false);
  return true;
}

ChangeEffect AmendedIf(bool changed) { return changed ? ChangeEffect::kAmended : ChangeEffect::kNone; }

ChangeEffect Apply(const UsageReceipt& receipt, CustomerEntitlements& value) {
  bool changed = false;
  if (receipt.current_usage.has_value()) {
    changed = WriteUsage({*receipt.current_usage, receipt.period_start, receipt.period_end, receipt.timestamp},
                         FindFeature(value, receipt.feature_id));
  }
  if (receipt.credit.has_value()) {
    const UsageReceipt::Credit& credit = *receipt.credit;
    changed |= WriteCredit({credit.current_usage, std::nullopt, credit.usage_period_end, credit.timestamp},
                           credit.currency_id, value);
  }
  return AmendedIf(changed);
}

ChangeEffect Apply(const ListPush& push, CustomerEntitlements& value) {
  if (push.entitlements.empty() && push.entitlements.denied_reason == DeniedReason::kNone) {
    return ChangeEffect::kDoubted;
  }
  if (!MayReplace(push.entitlements.updated_at, value.updated_at)) return ChangeEffect::kNone;
  CustomerEntitlements pushed = push.entitlements;
  KeepNewerUsage(value, pushed);
  value = std::move(pushed);
  return ChangeEffect::kReplaced;
}

ChangeEffect Apply(const UsagePush& push, CustomerEntitlements& value) {
  if (value.empty()) return ChangeEffect::kDoubted;
  const Usage usage{push.current_usage, push.period_start, push.period_end, push.updated_at};
  return AmendedIf(push.credit ? WriteCredit(usage, push.id, value) : WriteUsage(usage, FindFeature(value, push.id)));
}

ChangeEffect Apply(const BalancePush& push, CustomerEntitlements& value) {
  if (value.empty()) return ChangeEffect::kDoubted;
  bool changed = FollowBalance(value, push.currency_id, push.balance <= 0);
  for (FeatureEntitlement& feature : value.features) {
    if (!feature.credit_rate.has_value() || feature.credit_rate->currency_id != push.currency_id) continue;
    changed |= feature.valid_until != push.valid_until;
    feature.valid_until = push.valid_until;
  }
  return AmendedIf(changed);
}

}  // namespace

const EntityKey& KeyOf(const RecordChange& change) {
  return std::visit([](const auto& each) -> const EntityKey& { return each.key; }, change);
}

ChangeEffect ApplyChange(const RecordChange& change, CustomerEntitlements& value) {
  return std::visit([&](const auto& each) { return Apply(each, value); }, change);
}

void KeepNewer(const CustomerEntitlements& held, CustomerEntitlements& fetched) {
  if (MayReplace(fetched.updated_at, held.updated_at)) return KeepNewerUsage(held, fetched);
  CustomerEntitlements kept = held;
  KeepNewerUsage(fetched, kept);
  fetched = std::move(kept);
}

}  // namespace sidecar
