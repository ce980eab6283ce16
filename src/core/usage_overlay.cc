#include "core/usage_overlay.h"

#include <algorithm>

#include "absl/hash/hash.h"

namespace sidecar {
namespace {

UsageBasis BasisOf(const Record& record, size_t index, const FeatureView& feature) {
  return {.usage = feature.current_usage,
          .updated_at = record.UsageUpdatedAt(index),
          .period = feature.period,
          .fetched_at = record.fetched_at(),
          .from_shared = record.origin() == RecordOrigin::kRedis};
}

}  // namespace

PendingUsage* UsageOverlay::Entity::Find(std::string_view feature_id) {
  const auto found =
      std::find_if(features.begin(), features.end(), [&](const Feature& feature) { return feature.id == feature_id; });
  return found == features.end() ? nullptr : &found->usage;
}

std::optional<UsageBasis> UsageOverlay::Held::metered() const {
  if (what != What::kMetered) return std::nullopt;
  return basis;
}

UsageOverlay::Held UsageOverlay::Look(EntityKeyView key, std::string_view feature_id) const {
  const Record* const record = cache_.Find(key, feature_id);
  if (record == nullptr) return {};
  Held held{.what = Held::What::kNotMetered, .basis = {}};
  const int index = record->FindFeature(feature_id);
  if (index < 0) return held;
  FeatureView feature;
  record->ReadFeature(static_cast<size_t>(index), feature);
  if (feature.kind() != EntitlementKind::kMetered) return held;
  return {.what = Held::What::kMetered, .basis = BasisOf(*record, static_cast<size_t>(index), feature)};
}

bool UsageOverlay::Raise(const Record& record, FeatureView& feature, WallTime now) const {
  if (feature.kind() != EntitlementKind::kMetered) return false;
  const EntityKeyView key = record.key();
  const Shard& shard = shards_[ShardIndex(key)];
  const absl::ReaderMutexLock lock(&shard.mu);
  // What stopped being pending since the record was read is in the one that is held now.
  const Record* held = cache_.Find(key, feature.id);
  if (held == nullptr) held = &record;
  const int index = held->FindFeature(feature.id);
  if (index < 0) return false;
  if (held != &record) {
    FeatureView newer;
    held->ReadFeature(static_cast<size_t>(index), newer);
    feature.current_usage = newer.current_usage;
    feature.period = newer.period;
  }
  const auto entity = shard.entities.find(key);
  if (entity == shard.entities.end()) return false;
  const PendingUsage* const pending = entity->second->Find(feature.id);
  if (pending == nullptr) return false;
  const UsageBasis basis = BasisOf(*held, static_cast<size_t>(index), feature);
  const UsageWindow without = UsageAt(basis.period, basis.usage, now);
  const UsageWindow with = pending->At(basis, {clock_.Now(), now});
  if (!(with.current_usage > without.current_usage)) return false;
  feature.current_usage = with.current_usage;
  feature.period.start = with.start;
  feature.period.end = with.end;
  return true;
}

void UsageOverlay::Acknowledge(const UsageReport& report, const UsageReceipt& receipt, uint64_t sent,
                               absl::FunctionRef<void()> apply) {
  Count(report, receipt, 0, sent, apply);
}

void UsageOverlay::OnSpooled(const SpoolRecord& record) {
  const auto* const report = std::get_if<UsageReport>(&record.item);
  if (report == nullptr) return;
  const std::optional<UsageRaise> raise = UsageRaise::Of(*report);
  if (!raise.has_value() || !Reserve()) return;
  Shard& shard = shards_[ShardIndex(report->key.view())];
  const absl::MutexLock lock(&shard.mu);
  Entity& entity = EntityOf(shard, report->key);
  UsageOf(entity, report->feature_id).AddSpooled(record.sequence, *raise);
  const absl::MutexLock index_lock(&index_mu_);
  spooled_[record.sequence] = &entity;
}

void UsageOverlay::OnDelivered(uint64_t sequence, const UsageReport& report, const UsageReceipt& receipt,
                               absl::FunctionRef<void()> apply) {
  // An earlier attempt may have been counted: then the receipt is of that time.
  Count(report, receipt, sequence, 0, apply);
  const absl::MutexLock lock(&index_mu_);
  spooled_.erase(sequence);
}

void UsageOverlay::OnLost(uint64_t sequence, Loss loss) {
  Entity* entity = nullptr;
  {
    const absl::MutexLock lock(&index_mu_);
    const auto found = spooled_.find(sequence);
    if (found == spooled_.end()) return;
    entity = found->second;
    spooled_.erase(found);
  }
  const EpochDomain::Guard guard(cache_.epochs());
  // The entity is there as long as the record is pending in it, and its key never changes.
  Shard& shard = shards_[ShardIndex(entity->key.view())];
  const absl::MutexLock lock(&shard.mu);
  for (Feature& feature : entity->features) {
    if (!feature.usage.HoldsSpooled(sequence)) continue;
    const std::optional<UsageBasis> basis = Look(entity->key.view(), feature.id).metered();
    const Moment now = Now();
    const double before = basis.has_value() ? feature.usage.At(*basis, now).current_usage : 0;
    feature.usage.RemoveSpooled(sequence);
    Release(1);
    if (basis.has_value()) {
      PendingUsage::Reconciled reconciled;
      reconciled.Add(loss == Loss::kTooOld ? UsageOverlayOutcome::kExpired : UsageOverlayOutcome::kOver, 1,
                     before - feature.usage.At(*basis, now).current_usage);
      Publish(reconciled);
    }
    break;
  }
  Tidy(shard, *entity);
}

void UsageOverlay::Count(const UsageReport& report, const UsageReceipt& receipt, uint64_t sequence, uint64_t sent,
                         absl::FunctionRef<void()> apply) {
  const EpochDomain::Guard guard(cache_.epochs());
  Shard& shard = shards_[ShardIndex(report.key.view())];
  // Readers that find the report gone find the record that has it: it is written under the same lock.
  const absl::MutexLock lock(&shard.mu);
  Entity* entity = FindEntity(shard, report.key.view());
  PendingUsage* usage = entity == nullptr ? nullptr : entity->Find(report.feature_id);
  const bool spooled = usage != nullptr && sequence != 0 && usage->HoldsSpooled(sequence);
  if (receipt.current_usage.has_value()) {
    if (usage == nullptr) return apply();
    CountTotal(*usage, report, receipt, spooled ? sequence : 0, sent, shard, apply);
    return Tidy(shard, *entity);
  }
  apply();
  const std::optional<UsageRaise> raise = UsageRaise::Of(report);
  const Held held = Look(report.key.view(), report.feature_id);
  const bool counts = raise.has_value() && held.what != Held::What::kNotMetered;
  // A spooled one has its place already.
  if (counts && (spooled || Reserve())) {
    entity = &EntityOf(shard, report.key);
    usage = &UsageOf(*entity, report.feature_id);
    if (usage->AddCounted(*raise, sent, Sending(), held.metered(), Now())) {
      ++shard.counted;
      ArmSweep();
    } else {
      Release(1);
    }
  } else if (spooled) {
    Release(1);
  }
  if (spooled) usage->RemoveSpooled(sequence);
  if (entity != nullptr) Tidy(shard, *entity);
}

void UsageOverlay::CountTotal(PendingUsage& usage, const UsageReport& report, const UsageReceipt& receipt,
                              uint64_t sequence, uint64_t sent, Shard& shard, absl::FunctionRef<void()> apply) {
  const Moment now = Now();
  const std::optional<UsageBasis> before = Look(report.key.view(), report.feature_id).metered();
  std::optional<double> expected;
  if (before.has_value()) {
    expected = usage.At(*before, now, sequence).current_usage;
    // A spooled one is in it already.
    if (sequence == 0) expected = report.update == UsageUpdate::kSet ? report.value : *expected + report.value;
  }
  apply();
  const std::optional<UsageBasis> after = Look(report.key.view(), report.feature_id).metered();
  size_t ended = 0;
  // Another figure: what the record has is newer, and whether it is the newest there was when this was sent, who knows.
  const bool taken = after.has_value() && after->usage == *receipt.current_usage;
  if (after.has_value()) ended = usage.EndCountedBefore(taken ? sent : 0, *after, now);
  shard.counted -= ended;
  {
    const absl::MutexLock lock(&sweep_mu_);
    counted_ -= ended;
  }
  if (sequence != 0) {
    usage.RemoveSpooled(sequence);
    ++ended;
  }
  Release(ended);
  if (ended == 0 || !expected.has_value()) return;
  // A SET says nothing of what was before it.
  const bool replaced = sequence == 0 && report.update == UsageUpdate::kSet;
  const double over = replaced ? 0 : *expected - *receipt.current_usage;
  PendingUsage::Reconciled reconciled;
  reconciled.Add(over > 0   ? UsageOverlayOutcome::kOver
                 : over < 0 ? UsageOverlayOutcome::kUnder
                            : UsageOverlayOutcome::kExact,
                 ended, over);
  Publish(reconciled);
}

size_t UsageOverlay::ShardIndex(EntityKeyView key) const { return absl::Hash<EntityKeyView>{}(key) % kShards; }

UsageOverlay::Entity* UsageOverlay::FindEntity(Shard& shard, EntityKeyView key) {
  const auto found = shard.entities.find(key);
  return found == shard.entities.end() ? nullptr : found->second.get();
}

UsageOverlay::Entity& UsageOverlay::EntityOf(Shard& shard, const EntityKey& key) {
  if (Entity* const found = FindEntity(shard, key.view()); found != nullptr) return *found;
  auto entity = std::make_unique<Entity>(Entity{.key = key, .features = {}});
  Entity& made = *entity;
  shard.entities.emplace(made.key.view(), std::move(entity));
  return made;
}

PendingUsage& UsageOverlay::UsageOf(Entity& entity, const std::string& feature_id) {
  if (PendingUsage* const found = entity.Find(feature_id); found != nullptr) return *found;
  return entity.features.emplace_back(Feature{.id = feature_id, .usage = {}}).usage;
}

void UsageOverlay::Tidy(Shard& shard, Entity& entity) {
  std::erase_if(entity.features, [](const Feature& feature) { return feature.usage.empty(); });
  if (entity.features.empty()) shard.entities.erase(entity.key.view());
}

bool UsageOverlay::Reserve() {
  if (pending_.fetch_add(1, std::memory_order_relaxed) >= pending_max_) {
    pending_.fetch_sub(1, std::memory_order_release);
    metrics_.usage_overlay_refused.Add();
    return false;
  }
  metrics_.usage_overlay_pending.Add(1);
  return true;
}

void UsageOverlay::Release(size_t n) {
  pending_.fetch_sub(n, std::memory_order_release);
  metrics_.usage_overlay_pending.Subtract(n);
}

void UsageOverlay::Publish(const PendingUsage::Reconciled& reconciled) {
  for (size_t i = 0; i < reconciled.count.size(); ++i) {
    metrics_.usage_overlay_reconciled.Add(static_cast<UsageOverlayOutcome>(i), reconciled.count[i]);
  }
  metrics_.usage_overlay_drift.fetch_add(reconciled.drift, std::memory_order_relaxed);
}

void UsageOverlay::ArmSweep() {
  const absl::MutexLock lock(&sweep_mu_);
  ++counted_;
  if (sweeping_) return;
  sweeping_ = true;
  timers_.At(clock_.Now() + kSweepEvery, [this] { Sweep(); });
}

void UsageOverlay::Sweep() {
  PendingUsage::Reconciled reconciled;
  size_t ended = 0;
  {
    const EpochDomain::Guard guard(cache_.epochs());
    const Moment now = Now();
    for (Shard& shard : shards_) {
      const absl::MutexLock lock(&shard.mu);
      if (shard.counted == 0) continue;
      std::vector<Entity*> changed;
      for (const auto& [key, entity] : shard.entities) {
        size_t of_entity = 0;
        for (Feature& feature : entity->features) {
          if (feature.usage.counted() == 0) continue;
          of_entity += feature.usage.Sweep(Look(key, feature.id).metered(), now, reconciled);
        }
        if (of_entity == 0) continue;
        shard.counted -= of_entity;
        ended += of_entity;
        Release(of_entity);
        changed.push_back(entity.get());
      }
      for (Entity* const entity : changed) Tidy(shard, *entity);
    }
  }
  Publish(reconciled);
  const absl::MutexLock lock(&sweep_mu_);
  counted_ -= ended;
  sweeping_ = counted_ > 0;
  if (sweeping_) timers_.At(clock_.Now() + kSweepEvery, [this] { Sweep(); });
}

}  // namespace sidecar
