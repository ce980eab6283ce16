#include "adapters/redis/redis_keys.h"

#include <algorithm>

namespace sidecar {
namespace {

constexpr std::string_view kResource = ":r_";
/// What may follow the entity in a key.
constexpr std::string_view kTails[] = {":f_", ":credit_", ":metadata"};
constexpr std::string_view kFetch = ":refetchEntityEntitlementsAfterCacheMiss";

std::string Entity(EntityKeyView key) {
  std::string text = "c_";
  text.append(key.customer_id);
  if (!key.resource_id.empty()) text.append(kResource).append(key.resource_id);
  return text;
}

/// Where one of the parts begins, and the end of the text.
std::vector<size_t> Ends(std::string_view text) {
  std::vector<size_t> ends{text.size()};
  for (const std::string_view tail : kTails) {
    for (size_t at = text.find(tail); at != std::string_view::npos; at = text.find(tail, at + 1)) ends.push_back(at);
  }
  return ends;
}

}  // namespace

std::string RedisKeys::List(EntityKeyView key) const { return prefix_ + ":" + Entity(key); }

std::string RedisKeys::Usage(EntityKeyView key, std::string_view feature_id) const {
  return List(key).append(":f_").append(feature_id);
}

std::string RedisKeys::Metadata(EntityKeyView key) const { return List(key) + ":metadata"; }

std::string RedisKeys::Sibling(EntityKeyView key) const { return prefix_ + ":sidecar:" + Entity(key); }

std::string RedisKeys::FetchLock(EntityKeyView key) const {
  std::string name = prefix_ + std::string(kFetch) + "-" + std::string(key.customer_id);
  if (!key.resource_id.empty()) name.append(":").append(key.resource_id);
  return name;
}

std::string RedisKeys::FetchChannel(EntityKeyView key) const {
  std::string name = prefix_ + std::string(kFetch) + ":" + std::string(key.customer_id);
  if (!key.resource_id.empty()) name.append(":").append(key.resource_id);
  return name;
}

std::vector<EntityKey> RedisKeys::EntitiesOf(std::string_view key, bool& too_many) const {
  std::vector<EntityKey> entities;
  for (const std::string& start : {prefix_ + ":c_", prefix_ + ":sidecar:c_"}) {
    if (!key.starts_with(start)) continue;
    std::string_view text = key.substr(start.size());
    constexpr std::string_view kStamp = "#timestamp";
    std::vector<std::string_view> texts{text};
    if (text.ends_with(kStamp)) texts.push_back(text.substr(0, text.size() - kStamp.size()));
    const auto add = [&](std::string_view customer, std::string_view resource) {
      if (customer.empty()) return;
      EntityKey entity{std::string(customer), std::string(resource)};
      if (std::ranges::find(entities, entity) != entities.end()) return;
      too_many |= entities.size() >= kEntitiesMax;
      if (!too_many) entities.push_back(std::move(entity));
    };
    for (const std::string_view each : texts) {
      for (const size_t end : Ends(each)) {
        const std::string_view entity = each.substr(0, end);
        add(entity, "");
        for (size_t at = entity.find(kResource); at != std::string_view::npos; at = entity.find(kResource, at + 1)) {
          if (at + kResource.size() < entity.size()) add(entity.substr(0, at), entity.substr(at + kResource.size()));
        }
        if (too_many) return {};
      }
    }
  }
  return entities;
}

}  // namespace sidecar
