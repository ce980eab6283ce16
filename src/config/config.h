// The configuration: one immutable struct, filled from the table in settings.cc.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/url.h"
#include "domain/fallback.h"
#include "domain/time.h"

namespace sidecar {

enum class UpstreamApi : uint8_t { kAuto, kV2, kV1 };
/// What serves plaintext gRPC.
enum class PlaintextFront : uint8_t { kGrpc, kNghttp2 };

enum class LogFormatSetting : uint8_t { kAuto, kText, kJson };

/// A secret: its value, and the file it is re-read from, if any.
struct Secret {
  std::string value;
  std::string file;  ///< empty: given by value
};

struct RedisConfig {
  std::string environment_prefix;  ///< empty: Redis is off
  std::string host = "localhost";
  uint16_t port = 6379;
  std::vector<HostPort> sentinels;  ///< empty: host and port say where Redis is
  std::string master_name;          ///< as the Sentinels call it
  Secret sentinel_password;
  int db = 0;
  std::string username;
  Secret password;
  bool tls = false;
  std::string tls_ca_file;          ///< trusted beside the system's authorities
  bool update_only = true;          ///< pushed lists update what is there, and add nothing
  bool external_writer = false;     ///< the vendor's service keeps Redis current
  int64_t keys_ttl_secs = 604'800;  ///< negative: keys do not expire
  Millis timeout{50};
};

/// Of PORT. Without files it is plaintext.
struct TlsConfig {
  std::string cert_file;
  std::string key_file;
  std::string client_ca_file;  ///< empty: clients show no certificate
};

struct Config {
  // Upstream
  Secret server_api_key;
  std::string api_url = "https://api.stigg.io";  // URLs: without trailing slash
  bool edge_enabled = true;
  std::string edge_api_url = "https://edge.api.stigg.io";
  bool edge_fallback_to_graphql = false;
  bool ws_enabled = true;
  std::string ws_url = "wss://api.stigg.io";
  UpstreamApi upstream_api = UpstreamApi::kAuto;
  std::string extra_ca_file;
  std::string https_proxy;
  std::string http_proxy;
  std::string no_proxy;

  RedisConfig redis;

  // Answers
  FallbackTable entitlements_fallback;
  bool offline = false;
  std::string offline_data_file;
  Millis entitlements_ttl{30'000};
  Millis entitlements_timeout{10'000};
  Millis suspect_refresh_budget{250};
  Millis report_timeout{60'000};
  bool usage_overlay = false;

  // Spool
  std::string spool_path;  ///< empty: off
  bool spool_usage = false;
  uint64_t spool_max_bytes = 64 << 20;
  Millis spool_max_age{7 * 86'400'000};

  // Cache
  uint64_t cache_max_size_bytes = 0;  ///< 0: half of the memory limit
  std::string snapshot_path;          ///< empty: no snapshot
  Millis snapshot_interval{60'000};
  // Listeners
  std::string listen_address = "::";
  uint16_t port = 8443;
  uint16_t grpc_port = 0;  ///< 0: off
  std::string grpc_socket;
  PlaintextFront plaintext_front = PlaintextFront::kNghttp2;
  TlsConfig tls;
  uint16_t http_port = 8080;  ///< 0: off
  bool http_port_given = false;
  std::string health_path = "/livez";
  std::string ready_path = "/readyz";
  std::string admin_token_file;  ///< empty: /admin/ answers this machine only

  // Shadow
  std::string shadow_target;  ///< empty: off
  double shadow_sample_percent = 1;
  Millis shadow_timeout{1'000};
  std::vector<std::string> shadow_ignore_fields;

  // Life
  Millis start_grace{5'000};
  Millis drain_settle{2'000};
  Millis drain_timeout{10'000};
  bool end_with_parent = false;
  std::string record_path;  ///< empty: nothing is recorded
  uint64_t record_max_bytes = 64 << 20;
  std::string otlp_endpoint;  ///< empty: spans are not recorded
  std::string otel_service_name = "stigg-sidecar";
  std::string log_level = "warn";
  LogFormatSetting log_format = LogFormatSetting::kAuto;
};

}  // namespace sidecar
