#include "adapters/world/world.h"

#include <algorithm>
#include <utility>

#include "domain/usage_period.h"
#include "ids/new_id.h"
#include "text/text.h"

namespace sidecar {
namespace {

/// All periods of the world are counted from here.
const WallTime kAnchor = WallTimeFromEpochMs(1'767'225'600'000);  // 2026-01-01T00:00:00Z

/// Keys remembered against repetition; the oldest are forgotten beyond that.
constexpr size_t kRememberedKeysMax = 100'000;

std::string DimensionText(const DimensionValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* number = std::get_if<double>(&value)) return StrCat(*number);
  return std::get<bool>(value) ? "true" : "false";
}

/// The figure that the data itself gives; nullopt: it does not have this customer or resource.
std::optional<double> FigureOf(const WorldData& world, EntityKeyView key, const std::string& id) {
  const auto customer = world.customers.find(std::string(key.customer_id));
  if (customer == world.customers.end()) return std::nullopt;
  const WorldSubscriber* subscriber = &customer->second.self;
  if (!key.resource_id.empty()) {
    const auto resource = customer->second.resources.find(std::string(key.resource_id));
    if (resource == customer->second.resources.end()) return std::nullopt;
    subscriber = &resource->second;
  }
  const auto usage = subscriber->usage.find(id);
  return usage == subscriber->usage.end() ? 0 : usage->second;
}

/// Equal but for the dates of the list and of its figures, which new data always renews.
bool SameAnswer(CustomerEntitlements one, const CustomerEntitlements& other) {
  one.updated_at = other.updated_at;
  for (size_t i = 0; i < one.features.size() && i < other.features.size(); ++i) {
    one.features[i].usage_updated_at = other.features[i].usage_updated_at;
  }
  for (size_t i = 0; i < one.credits.size() && i < other.credits.size(); ++i) {
    one.credits[i].usage_updated_at = other.credits[i].usage_updated_at;
  }
  return one == other;
}

}  // namespace

World::World(WorldData data, Clock& clock) : clock_(clock), data_(std::move(data)), data_since_(clock.WallNow()) {}

const WorldSubscriber* World::FindSubscriber(EntityKeyView key) const {
  const auto customer = data_.customers.find(std::string(key.customer_id));
  if (customer == data_.customers.end()) return nullptr;
  if (key.resource_id.empty()) return &customer->second.self;
  const auto resource = customer->second.resources.find(std::string(key.resource_id));
  return resource == customer->second.resources.end() ? nullptr : &resource->second;
}

const WorldGrant* World::FindGrant(const WorldGrants& grants, std::string_view id) {
  const auto found = std::find_if(grants.begin(), grants.end(), [&](const auto& grant) { return grant.first == id; });
  return found == grants.end() ? nullptr : &found->second;
}

WorldGrants World::GrantsOf(const WorldSubscriber& subscriber) const {
  const auto plan = data_.plans.find(subscriber.plan);
  WorldGrants grants = plan == data_.plans.end() ? WorldGrants() : plan->second;
  for (const auto& [id, grant] : subscriber.overrides) {
    const auto same =
        std::find_if(grants.begin(), grants.end(), [&, &key = id](const auto& g) { return g.first == key; });
    if (same == grants.end()) {
      grants.emplace_back(id, grant);
    } else {
      same->second = grant;
    }
  }
  return grants;
}

UsagePeriod World::PeriodOf(const WorldGrant& grant) const {
  UsagePeriod period{.reset = grant.reset};
  if (grant.reset == ResetPeriod::kNone) return period;
  // An ended period rolls over to the one that contains now; the anchor's own ended long ago.
  period.anchor = kAnchor;
  period.end = kAnchor;
  const UsageWindow window = UsageAt(period, 0, std::max(clock_.WallNow(), kAnchor + Millis(1)));
  period.start = window.start;
  period.end = window.end;
  return period;
}

World::Usage& World::UsageOf(const UsageKey& key, const WorldSubscriber& subscriber, const UsagePeriod& period) const {
  const auto [it, created] = usage_.try_emplace(key);
  Usage& usage = it->second;
  if (created) {
    const auto initial = subscriber.usage.find(key.id);
    usage = {.value = initial == subscriber.usage.end() ? 0 : initial->second,
             .updated_at = data_since_,
             .period_start = period.start};
  } else if (usage.period_start != period.start) {
    usage = {.value = 0, .updated_at = clock_.WallNow(), .period_start = period.start};
  }
  return usage;
}

CustomerEntitlements World::Entitlements(EntityKeyView key) const {
  absl::MutexLock lock(&mu_);
  return EntitlementsOf(key);
}

CustomerEntitlements World::EntitlementsOf(EntityKeyView key) const {
  const WorldSubscriber* const subscriber = FindSubscriber(key);
  if (subscriber == nullptr) return {.denied_reason = DeniedReason::kCustomerNotFound};
  if (subscriber->archived) return {.denied_reason = DeniedReason::kCustomerIsArchived};
  const WorldGrants grants = GrantsOf(*subscriber);
  if (grants.empty()) return {.denied_reason = DeniedReason::kNoActiveSubscription};

  CustomerEntitlements out{.updated_at = data_since_};
  for (const auto& [id, grant] : grants) {
    const UsagePeriod period = PeriodOf(grant);
    const Usage& usage = UsageOf({EntityKey(key), id}, *subscriber, period);
    if (const auto feature = data_.features.find(id); feature != data_.features.end()) {
      const bool metered =
          KindOf(feature->second.definition.type, feature->second.definition.meter) == EntitlementKind::kMetered;
      out.features.push_back({.feature = feature->second.definition,
                              .usage_limit = grant.limit,
                              .unlimited = grant.unlimited,
                              .soft_limit = grant.soft_limit,
                              .current_usage = metered ? usage.value : 0,
                              .enum_values = grant.enum_values,
                              .period = period,
                              .credit_rate = grant.credit_rate,
                              .usage_updated_at = metered ? std::optional(usage.updated_at) : std::nullopt});
    } else if (const auto credit = data_.credits.find(id); credit != data_.credits.end()) {
      out.credits.push_back({.currency = credit->second,
                             .usage_limit = grant.limit.value_or(0),
                             .current_usage = usage.value,
                             .soft_limit = grant.soft_limit,
                             .usage_updated_at = usage.updated_at});
    }
  }
  return out;
}

std::variant<UsageReceipt, WorldError> World::ReportUsage(const UsageReport& report) {
  std::vector<UsagePush> moved;
  const auto count = [&] {
    absl::MutexLock lock(&mu_);
    return CountReport(report, moved);
  };
  std::variant<UsageReceipt, WorldError> outcome = count();
  if (listener_ != nullptr) {
    for (UsagePush& push : moved) listener_(Push(std::move(push)));
  }
  return outcome;
}

std::variant<UsageReceipt, WorldError> World::CountReport(const UsageReport& report, std::vector<UsagePush>& moved) {
  if (const auto known = receipts_.find(report.idempotency_key);
      known != receipts_.end() && !report.idempotency_key.empty()) {
    return known->second;
  }
  const WorldSubscriber* const subscriber = FindSubscriber(report.key.view());
  if (subscriber == nullptr) {
    if (!report.key.resource_id.empty() && FindSubscriber({report.key.customer_id, ""}) != nullptr) {
      return WorldError{"CustomerResourceNotFound", "Resource not found"};
    }
    return WorldError{"CustomerNotFound", "Customer not found"};
  }
  const auto feature = data_.features.find(report.feature_id);
  if (feature == data_.features.end()) return WorldError{"FeatureNotFound", "Feature not found"};
  if (KindOf(feature->second.definition.type, feature->second.definition.meter) != EntitlementKind::kMetered) {
    return WorldError{"MeteringNotAvailableForFeatureType", "Usage cannot be reported for this type of feature"};
  }
  if (feature->second.event_meter.has_value()) {
    return WorldError{"CannotReportUsageForEntitlementWithMeterError", "Usage of this feature is counted from events"};
  }
  const WorldGrants grants = GrantsOf(*subscriber);
  const WorldGrant* const grant = FindGrant(grants, report.feature_id);
  if (grant == nullptr) return WorldError{"NoFeatureEntitlementInSubscription", "The plan does not have this feature"};

  const UsagePeriod period = PeriodOf(*grant);
  Usage& usage = UsageOf({report.key, report.feature_id}, *subscriber, period);
  usage.value = report.update == UsageUpdate::kSet ? report.value : usage.value + report.value;
  usage.updated_at = std::max(clock_.WallNow(), usage.updated_at);
  UsageReceipt receipt{.measurement_id = NewUuid(),
                       .key = report.key,
                       .feature_id = report.feature_id,
                       .current_usage = usage.value,
                       .period_start = period.start,
                       .period_end = period.end,
                       .timestamp = usage.updated_at};
  moved.push_back({.key = report.key,
                   .id = report.feature_id,
                   .current_usage = usage.value,
                   .period_start = period.start,
                   .period_end = period.end,
                   .updated_at = usage.updated_at});
  if (grant->credit_rate.has_value() && report.update != UsageUpdate::kSet) {
    const WorldGrant* const credit = FindGrant(grants, grant->credit_rate->currency_id);
    if (credit != nullptr) {
      Usage& balance = UsageOf({report.key, grant->credit_rate->currency_id}, *subscriber, PeriodOf(*credit));
      balance.value += report.value * grant->credit_rate->amount;
      balance.updated_at = usage.updated_at;
      receipt.credit = UsageReceipt::Credit{.currency_id = grant->credit_rate->currency_id,
                                            .current_usage = balance.value,
                                            .timestamp = balance.updated_at};
      moved.push_back({.key = report.key,
                       .id = grant->credit_rate->currency_id,
                       .credit = true,
                       .current_usage = balance.value,
                       .updated_at = balance.updated_at});
    }
  }
  if (!report.idempotency_key.empty()) {
    if (receipts_.size() >= kRememberedKeysMax) receipts_.clear();
    receipts_.emplace(report.idempotency_key, receipt);
  }
  return receipt;
}

void World::ReportEvents(const std::vector<UsageEvent>& events) {
  std::map<UsageKey, UsagePush> moved;  // one push a figure, however many events moved it
  {
    absl::MutexLock lock(&mu_);
    for (const UsageEvent& event : events) {
      if (event_keys_.size() >= kRememberedKeysMax) event_keys_.clear();
      if (event_keys_.insert(event.idempotency_key).second) CountEvent(event, moved);
    }
  }
  if (listener_ == nullptr) return;
  for (auto& [key, push] : moved) listener_(Push(std::move(push)));
}

void World::CountEvent(const UsageEvent& event, std::map<UsageKey, UsagePush>& moved) {
  const WorldSubscriber* const subscriber = FindSubscriber(event.key.view());
  if (subscriber == nullptr) return;
  for (const auto& [id, grant] : GrantsOf(*subscriber)) {
    const auto feature = data_.features.find(id);
    if (feature == data_.features.end() || !feature->second.event_meter.has_value()) continue;
    const EventMeter& meter = *feature->second.event_meter;
    if (meter.event_name != event.event_name) continue;
    const UsagePeriod period = PeriodOf(grant);
    Usage& usage = UsageOf({event.key, id}, *subscriber, period);
    if (!meter.distinct_dimension.empty()) {
      const auto dimension = event.dimensions.find(meter.distinct_dimension);
      if (dimension == event.dimensions.end()) continue;
      if (!usage.distinct.insert(DimensionText(dimension->second)).second) continue;
    }
    usage.value += 1;
    usage.updated_at = std::max(clock_.WallNow(), usage.updated_at);
    moved[{event.key, id}] = {.key = event.key,
                              .id = id,
                              .current_usage = usage.value,
                              .period_start = period.start,
                              .period_end = period.end,
                              .updated_at = usage.updated_at};
  }
}

std::map<World::EntityId, CustomerEntitlements> World::ListsOf(const WorldData& one, const WorldData& other) const {
  std::map<EntityId, CustomerEntitlements> lists;
  for (const WorldData* const world : {&one, &other}) {
    for (const auto& [customer, data] : world->customers) {
      lists.try_emplace({customer, ""}, EntitlementsOf({customer, ""}));
      for (const auto& [resource, ignored] : data.resources) {
        lists.try_emplace({customer, resource}, EntitlementsOf({customer, resource}));
      }
    }
  }
  return lists;
}

void World::Replace(WorldData data) {
  // What changed is what a customer would be answered now, compared with a moment ago: a plan or a
  // feature that changed is a change of everybody who has it, and of nobody else.
  std::map<EntityId, CustomerEntitlements> lists_before;
  std::map<EntityId, CustomerEntitlements> lists;
  {
    absl::MutexLock lock(&mu_);
    if (listener_ != nullptr) lists_before = ListsOf(data_, data);
    const WorldData before = std::exchange(data_, std::move(data));
    data_since_ = std::max(clock_.WallNow(), data_since_);
    std::erase_if(usage_, [&](const auto& entry) {
      mu_.AssertHeld();
      const auto& [key, usage] = entry;
      return FigureOf(before, key.entity.view(), key.id) != FigureOf(data_, key.entity.view(), key.id);
    });
    if (listener_ == nullptr) return;
    lists = ListsOf(before, data_);
  }
  for (auto& [id, list] : lists) {
    if (SameAnswer(lists_before[id], list)) continue;
    listener_(ListPush{.key = EntityKey(id.first, id.second), .entitlements = std::move(list)});
  }
}

}  // namespace sidecar
