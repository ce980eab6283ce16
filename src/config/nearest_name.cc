#include "config/nearest_name.h"

#include <algorithm>
#include <array>
#include <vector>

#include "config/settings.h"
#include "text/text.h"

namespace sidecar {
namespace {

// Not GRPC_: the gRPC library reads many variables of its own by that prefix.
constexpr std::array<std::string_view, 17> kPrefixes{
    "REDIS_",         "CACHE_",    "WS_",     "EDGE_",     "SERVER_API", "ENTITLEMENTS_", "ENTITLEMENT_",
    "GRPC_PORT",      "GRPC_SOCK", "OFFLINE", "UPSTREAM_", "DRAIN_",     "SUSPECT_",      "HEALTH_ENDPOINT",
    "READY_ENDPOINT", "SNAPSHOT_", "SPOOL_"};

/// REDIS_SERVICE_HOST, REDIS_PORT_6379_TCP_ADDR and the like.
bool IsServiceLink(std::string_view name) {
  if (Contains(name, "_SERVICE_HOST") || Contains(name, "_SERVICE_PORT")) return true;
  const size_t port = name.find("_PORT_");
  return port != std::string_view::npos && port + 6 < name.size() && name[port + 6] >= '0' && name[port + 6] <= '9';
}

bool IsSetting(std::string_view name) {
  return std::any_of(Settings().begin(), Settings().end(), [&](const Setting& setting) {
    return setting.name == name || (setting.secret && StrCat(setting.name, "_FILE") == name);
  });
}

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

/// REDIS_ENV_PREFIX for REDIS_ENVIRONMENT_PREFIX: word by word the same or its beginning.
bool IsAbbreviation(std::string_view name, std::string_view of) {
  const auto words = Split(name, '_');
  const auto whole = Split(of, '_');
  return std::equal(words.begin(), words.end(), whole.begin(), whole.end(),
                    [](std::string_view word, std::string_view full) { return full.starts_with(word); });
}

}  // namespace

bool LooksLikeOurs(std::string_view name) {
  if (IsSetting(name) || IsServiceLink(name)) return false;
  return std::any_of(kPrefixes.begin(), kPrefixes.end(),
                     [&](std::string_view prefix) { return name.starts_with(prefix); });
}

std::string NearestName(std::string_view name) {
  std::string_view nearest;
  size_t best = name.size() / 2;
  for (const Setting& setting : Settings()) {
    const size_t distance = IsAbbreviation(name, setting.name) ? 0 : EditDistance(name, setting.name);
    if (distance < best) {
      best = distance;
      nearest = setting.name;
    }
  }
  return std::string(nearest);
}

}  // namespace sidecar
