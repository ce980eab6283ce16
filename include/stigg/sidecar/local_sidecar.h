// A sidecar that an application starts for itself: for development, and where there is nobody to run one.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "stigg/sidecar/types.h"

namespace stigg::sidecar {

struct RedisOptions {
  std::string environment_prefix;  ///< required: REDIS_ENVIRONMENT_PREFIX
  std::string host;                ///< empty: localhost
  int port = 0;                    ///< 0: 6379
  std::optional<int> db;
  std::string username;
  std::string password;
  std::optional<int> ttl_secs;  ///< REDIS_KEYS_TTL_IN_SECS
};

/// What becomes the environment of the process (README.md, settings). What is not given keeps its default.
struct LocalSidecar {
  std::string api_key;  ///< SERVER_API_KEY; may stay empty with OFFLINE=1 in `environment`
  std::string api_url;
  std::optional<bool> edge_enabled;
  std::string edge_api_url;
  std::optional<bool> ws_enabled;
  std::string ws_url;
  std::optional<RedisOptions> redis;
  /// ENTITLEMENTS_FALLBACK; also what the client answers when the process is gone.
  std::map<std::string, Fallback> entitlements_fallback;
  std::optional<int64_t> cache_max_size_bytes;

  /// The port on 127.0.0.1 to serve on; 0: a free one. PORT is always set.
  int port = 0;
  /// The program; without a slash it is looked for in PATH.
  std::string program = "stigg-sidecar";
  /// Beside these: any other setting. The process also gets the environment of this one, without the settings that say
  /// where to listen: HTTP_PORT is 0 (off) unless it is given here.
  std::map<std::string, std::string> environment;
  /// Until it must be ready. At least 1 ms.
  Millis start_timeout{10'000};
};

}  // namespace stigg::sidecar
