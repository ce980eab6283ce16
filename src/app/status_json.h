#pragma once

#include <optional>
#include <string>
#include <vector>

#include "adapters/json/json.h"
#include "adapters/redis/redis_client.h"
#include "app/upstream.h"
#include "cache/entitlement_cache.h"
#include "config/config.h"
#include "core/metrics.h"

namespace sidecar {

/// What /status tells, as JSON: the connections, what answers are made of, the configuration in force.
struct StatusParts {
  const Config& config;
  const std::vector<std::string>& configuration;  ///< one line a setting, redacted
  const Metrics& metrics;
  const EntitlementCache& cache;
  UpstreamStatus upstream;
  struct Redis {
    RedisClient::Status client;
    bool maintained = false;
    bool leads = false;
  };
  std::optional<Redis> redis;  ///< nullopt: there is none
  Json shadow = nullptr;       ///< null: there is none
  bool ready = false;
  WallTime started_at;
  WallTime now;
};

std::string StatusJson(const StatusParts& parts);

}  // namespace sidecar
