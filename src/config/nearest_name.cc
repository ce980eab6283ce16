#include "config/nearest_name.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "config/settings.h"
#include "text/text.h"

namespace sidecar {
namespace {

// Not GRPC_: the gRPC library reads many variables of its own by that prefix.
constexpr std::string_view kPrefixes[] = {
    "REDIS_",         "CACHE_",    "WS_",       "EDGE_",     "SERVER_API", "ENTITLEMENTS_", "ENTITLEMENT_",
    "GRPC_PORT",      "GRPC_SOCK", "OFFLINE",   "UPSTREAM_", "DRAIN_",     "SUSPECT_",      "HEALTH_ENDPOINT",
    "READY_ENDPOINT", "SHADOW_",   "SNAPSHOT_", "SPOOL_"};

/// Variables of others that are a slip away from one of ours.
constexpr std::string_view kOthers[] = {"APP_URL",   "AWS_URL",    "FTP_PROXY",    "ALL_PROXY",
                                        "HTTP_HOST", "HTTPS_PORT", "SSL_CERT_FILE"};

/// What people call a setting when they do not look it up.
constexpr std::pair<std::string_view, std::string_view> kOtherNames[] = {
    {"API_KEY", "SERVER_API_KEY"},
    {"STIGG_API_KEY", "SERVER_API_KEY"},
    {"STIGG_SERVER_API_KEY", "SERVER_API_KEY"},
};

/// Every name that may be meant: settings, and the files of secrets.
std::vector<std::string> KnownNames() {
  std::vector<std::string> names;
  for (const Setting& setting : Settings()) {
    names.emplace_back(setting.name);
    if (setting.secret) names.push_back(StrCat(setting.name, "_FILE"));
  }
  return names;
}

/// REDIS_SERVICE_HOST, REDIS_PORT=tcp://…, REDIS_PORT_6379_TCP_ADDR and the like.
bool IsServiceLink(std::string_view name, std::string_view value) {
  if (name.ends_with("_PORT") && Contains(value, "://")) return true;
  if (Contains(name, "_SERVICE_HOST") || Contains(name, "_SERVICE_PORT")) return true;
  const size_t port = name.find("_PORT_");
  return port != std::string_view::npos && port + 6 < name.size() && name[port + 6] >= '0' && name[port + 6] <= '9';
}

/// Short names have neighbours that mean something else (DB_URL, REPORT): the shorter a name,
/// the fewer letters may differ.
bool IsSlip(std::string_view name, std::string_view of) {
  constexpr size_t kShort = 5;
  constexpr size_t kLong = 8;
  if (name.size() < kShort || of.size() < kShort) return false;
  return EditDistance(name, of) <= (of.size() < kLong ? 1 : 2);
}

/// REDIS_ENV_PREFIX for REDIS_ENVIRONMENT_PREFIX, START_GRACE for START_GRACE_MS: at least two
/// words, each the same or its beginning; words may be left out at the end.
bool IsAbbreviation(std::string_view name, std::string_view of) {
  constexpr size_t kWordMin = 2;
  const auto words = Split(name, '_');
  const auto whole = Split(of, '_');
  return words.size() >= 2 && words.size() <= whole.size() &&
         std::equal(words.begin(), words.end(), whole.begin(), [](std::string_view word, std::string_view full) {
           return word.size() >= kWordMin && full.starts_with(word);
         });
}

template <typename List>
bool IsIn(const List& list, std::string_view name) {
  return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

}  // namespace

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> cost(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) {
    for (size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        cost[i][j] = i + j;
        continue;
      }
      const size_t change = cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      cost[i][j] = std::min({change, cost[i - 1][j] + 1, cost[i][j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return cost[a.size()][b.size()];
}

bool LooksLikeOurs(std::string_view name, std::string_view value) {
  const std::vector<std::string> known = KnownNames();
  if (IsIn(known, name) || IsIn(kOthers, name) || IsServiceLink(name, value)) return false;
  return std::any_of(std::begin(kPrefixes), std::end(kPrefixes),
                     [&](std::string_view prefix) { return name.starts_with(prefix); }) ||
         std::any_of(std::begin(kOtherNames), std::end(kOtherNames),
                     [&](const auto& other) { return name == other.first; }) ||
         std::any_of(known.begin(), known.end(), [&](const std::string& setting) {
           return IsSlip(name, setting) || IsAbbreviation(name, setting);
         });
}

std::string NearestName(std::string_view name) {
  for (const auto& [other, setting] : kOtherNames) {
    if (name == other) return std::string(setting);
  }
  std::string nearest;
  size_t best = name.size() / 2;
  for (const std::string& known : KnownNames()) {
    const size_t distance = IsAbbreviation(name, known) ? 0 : EditDistance(name, known);
    if (distance >= best) continue;
    best = distance;
    nearest = known;
  }
  return nearest;
}

}  // namespace sidecar
