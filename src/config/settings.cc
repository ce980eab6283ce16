#include "config/settings.h"

#include <arpa/inet.h>
#include <sys/un.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "adapters/json/fallback_codec.h"
#include "config/value_codecs.h"
#include "text/text.h"

namespace sidecar {
namespace {

constexpr std::string_view kBoolAccepted = "1/0/true/false/yes/no/on/off";
constexpr std::string_view kPortAccepted = "a port, 1 to 65535";
constexpr std::string_view kPortOrOffAccepted = "a port, 1 to 65535, or 0 for off";
constexpr std::string_view kHttpUrlAccepted = "http://host[:port] or https://host[:port]";
constexpr std::string_view kMillisAccepted = "whole milliseconds, 1 to 3600000";

bool IsIpAddress(std::string_view value) {
  in6_addr ignored;
  const std::string text(value);
  return inet_pton(AF_INET, text.c_str(), &ignored) == 1 || inet_pton(AF_INET6, text.c_str(), &ignored) == 1;
}

bool HasNoSpaces(std::string_view value) {
  return std::none_of(value.begin(), value.end(), [](char c) { return c == ' ' || IsControl(c); });
}

/// What fits into sockaddr_un with its closing zero.
bool IsSocketPath(std::string_view value) { return value.size() < sizeof(sockaddr_un{}.sun_path); }

/// A value that goes by one of a few names.
template <typename Value, size_t kNames, typename Ref>
ValueCodec OneOf(const std::pair<std::string_view, Value> (&names)[kNames], Ref ref) {
  return {.parse =
              [&names, ref](std::string_view value, Config& config) {
                for (const auto& [name, meaning] : names) {
                  if (!EqualsIgnoreCase(value, name)) continue;
                  ref(config) = meaning;
                  return true;
                }
                return false;
              },
          .show =
              [&names, ref](const Config& config) {
                for (const auto& [name, meaning] : names) {
                  if (meaning == ref(config)) return std::string(name);
                }
                return std::string();
              }};
}

constexpr std::pair<std::string_view, PlaintextFront> kPlaintextFronts[] = {{"grpc", PlaintextFront::kGrpc},
                                                                            {"nghttp2", PlaintextFront::kNghttp2}};
constexpr std::pair<std::string_view, UpstreamApi> kUpstreamApis[] = {
    {"auto", UpstreamApi::kAuto}, {"v2", UpstreamApi::kV2}, {"v1", UpstreamApi::kV1}};

constexpr std::pair<std::string_view, LogFormatSetting> kLogFormats[] = {
    {"auto", LogFormatSetting::kAuto}, {"text", LogFormatSetting::kText}, {"json", LogFormatSetting::kJson}};

constexpr std::pair<std::string_view, bool> kUpdatePolicies[] = {{"UPDATE_IF_EXISTS", true}, {"UPSERT", false}};

ValueCodec LogLevel() {
  return {.parse =
              [](std::string_view value, Config& config) {
                for (const std::string_view level : {"error", "warn", "info", "debug"}) {
                  if (!EqualsIgnoreCase(value, level)) continue;
                  config.log_level = level;
                  return true;
                }
                return false;
              },
          .show = [](const Config& config) { return config.log_level; }};
}

ValueCodec Fallbacks() {
  return {.parse =
              [](std::string_view value, Config& config) {
                absl::StatusOr<FallbackTable> table = ParseFallbacks(value);
                if (!table.ok()) return false;
                config.entitlements_fallback = *std::move(table);
                return true;
              },
          .show = [](const Config& config) { return FormatFallbacks(config.entitlements_fallback); },
          .explain =
              [](std::string_view value) {
                const absl::Status status = ParseFallbacks(value).status();
                const std::vector<std::string_view> mistakes = Split(Message(status), '\n');
                return std::vector<std::string>(mistakes.begin(), mistakes.end());
              },
          .quote = ValueCodec::Quote::kMistakesOnly};
}

/// Zero would expire keys at once; Redis has no such expiry.
ValueCodec KeysTtl() {
  constexpr int64_t kTenYears = 10LL * 365 * 86'400;
  ValueCodec codec = Whole(MEMBER(redis.keys_ttl_secs), std::numeric_limits<int64_t>::min(), kTenYears);
  codec.parse = [parse = codec.parse](std::string_view value, Config& config) {
    return parse(value, config) && config.redis.keys_ttl_secs != 0;
  };
  return codec;
}

/// host:port, or unix:/path.
bool IsGrpcTarget(std::string_view text) {
  if (text.starts_with("unix:/")) return true;
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || !HasNoSpaces(text) || Contains(text, "/")) return false;
  const std::optional<uint16_t> port = ParseNumber<uint16_t>(text.substr(colon + 1));
  return port.has_value() && *port > 0;
}

ValueCodec SamplePercent() {
  return {.parse =
              [](std::string_view value, Config& config) {
                const std::optional<double> number = ParseNumber<double>(value);
                constexpr double kLeast = 0.01;
                if (!number.has_value() || !(*number >= kLeast && *number <= 100)) return false;
                config.shadow_sample_percent = *number;
                return true;
              },
          .show = [](const Config& config) { return StrCat(config.shadow_sample_percent); }};
}

/// Names, separated by commas.
ValueCodec ShadowFields() {
  return {.parse =
              [](std::string_view value, Config& config) {
                for (const std::string_view name : Split(value, ',')) {
                  const std::string_view stripped = StripWhitespace(name);
                  if (stripped.empty()) return false;
                  config.shadow_ignore_fields.emplace_back(stripped);
                }
                return true;
              },
          .show = [](const Config& config) { return Join(config.shadow_ignore_fields, ","); }};
}

/// Remembers that it was asked for: then it must be free (design section 3).
ValueCodec HttpPort() {
  ValueCodec codec = Whole(MEMBER(http_port), 0, 65'535);
  codec.parse = [parse = codec.parse](std::string_view value, Config& config) {
    config.http_port_given = true;
    return parse(value, config);
  };
  return codec;
}

/// host:port, comma-separated.
ValueCodec Sentinels() {
  constexpr uint16_t kSentinelPort = 26379;
  return {.parse =
              [](std::string_view value, Config& config) {
                std::vector<HostPort> sentinels;
                for (const std::string_view part : Split(value, ',')) {
                  std::optional<HostPort> sentinel = ParseHostPort(StripWhitespace(part), kSentinelPort);
                  if (!sentinel.has_value()) return false;
                  sentinels.push_back(*std::move(sentinel));
                }
                config.redis.sentinels = std::move(sentinels);
                return true;
              },
          .show =
              [](const Config& config) {
                std::vector<std::string> shown;
                for (const HostPort& each : config.redis.sentinels) {
                  shown.push_back(Contains(each.host, ":") ? StrCat("[", each.host, "]:", each.port)
                                                           : StrCat(each.host, ":", each.port));
                }
                return Join(shown, ",");
              }};
}

std::vector<Setting> MakeSettings() {
  constexpr int64_t kInt64Max = std::numeric_limits<int64_t>::max();
  return {
      // Upstream
      {"SERVER_API_KEY", "Upstream", "the server API key of the environment", "required, unless OFFLINE or `dev`",
       "Key for all of Stigg's APIs.", true, Text(MEMBER(server_api_key.value))},
      {"API_URL", "Upstream", kHttpUrlAccepted, "https://api.stigg.io", "GraphQL API.", false,
       Url(MEMBER(api_url), "http", "https")},
      {"EDGE_ENABLED", "Upstream", kBoolAccepted, "1", "Fetch entitlements from the Edge API; 0: from GraphQL.", false,
       Bool(MEMBER(edge_enabled))},
      {"EDGE_API_URL", "Upstream", kHttpUrlAccepted,
       "derived from API_URL, as https://edge.api.stigg.io is from its default", "Edge API.", false,
       Url(MEMBER(edge_api_url), "http", "https")},
      {"EDGE_FALLBACK_TO_GRAPHQL", "Upstream", kBoolAccepted, "0",
       "After an Edge failure, ask GraphQL too before giving up.", false, Bool(MEMBER(edge_fallback_to_graphql))},
      {"WS_ENABLED", "Upstream", kBoolAccepted, "1", "Keep the cache fresh over the WebSocket.", false,
       Bool(MEMBER(ws_enabled))},
      {"WS_URL", "Upstream", "ws://host[:port] or wss://host[:port]",
       "derived from API_URL, as wss://api.stigg.io is from its default", "WebSocket API.", false,
       Url(MEMBER(ws_url), "ws", "wss")},
      {"UPSTREAM_API", "Upstream", "auto, v2 or v1", "auto",
       "Protocol generation; auto speaks V2 and falls back to V1 where upstream does not know it.", false,
       OneOf(kUpstreamApis, MEMBER(upstream_api))},
      {"EXTRA_CA_FILE", "Upstream", "path of a PEM file", "none",
       "Certificates trusted beside the system's, for every outgoing TLS connection.", false,
       Text(MEMBER(extra_ca_file))},
      {"HTTPS_PROXY", "Upstream", "http://[user:password@]host:port", "none",
       "Proxy for https and wss targets (https_proxy is read too).", false, Proxy(MEMBER(https_proxy)), "https_proxy"},
      {"HTTP_PROXY", "Upstream", "http://[user:password@]host:port", "none",
       "Proxy for http and ws targets (http_proxy is read too).", false, Proxy(MEMBER(http_proxy)), "http_proxy"},
      {"NO_PROXY", "Upstream", "hosts and domains, comma-separated", "none",
       "Targets reached without a proxy (no_proxy is read too).", false, Text(MEMBER(no_proxy)), "no_proxy"},

      // Answers
      {"ENTITLEMENTS_FALLBACK", "Answers",
       "a JSON object: feature id -> {hasAccess, value?, usageLimit?, isUnlimited?, enumValues?}", "none",
       "What to answer when nothing is known.", false, Fallbacks()},
      {"ENTITLEMENTS_TTL_SECS", "Answers", "whole seconds, 1 to 86400", "30",
       "A record fetched without a live feed wants a refresh after this time; it keeps answering meanwhile.", false,
       Duration(MEMBER(entitlements_ttl), 1000, 1, 86'400)},
      {"ENTITLEMENTS_TIMEOUT_MS", "Answers", kMillisAccepted, "10000",
       "Longest wait for upstream on a miss; a caller's shorter deadline counts.", false,
       MillisFrom1(MEMBER(entitlements_timeout))},
      {"SUSPECT_REFRESH_BUDGET_MS", "Answers", "whole milliseconds, 0 to 3600000", "250",
       "Longest wait of a read for the refresh of a record that it already has.", false,
       Duration(MEMBER(suspect_refresh_budget), 1, 0, 3'600'000)},
      {"REPORT_TIMEOUT_MS", "Answers", kMillisAccepted, "60000",
       "Longest time for a usage or event report, retries included; a caller's shorter deadline counts.", false,
       MillisFrom1(MEMBER(report_timeout))},
      {"USAGE_OVERLAY", "Answers", kBoolAccepted, "0",
       "Show acknowledged usage at once, also what waits in the spool and what was acknowledged without a total.",
       false, Bool(MEMBER(usage_overlay))},
      {"OFFLINE", "Answers", kBoolAccepted, "0", "No key, no network: answer fallbacks.", false, Bool(MEMBER(offline))},
      {"OFFLINE_DATA_FILE", "Answers", "path of a data file (docs/dev.md)", "none",
       "With OFFLINE: customers to answer for; usage is counted in memory.", false, Text(MEMBER(offline_data_file))},

      // Spool
      {"SPOOL_PATH", "Spool", "path of a file, made when it is not there", "none: the spool is off",
       "Event reports are acknowledged when they are on this disk, and delivered in the background.", false,
       Text(MEMBER(spool_path))},
      {"SPOOL_USAGE", "Spool", kBoolAccepted, "0",
       "Spool usage reports too that upstream could not take; without it only for callers that send "
       "`x-accept-durable: 1`.",
       false, Bool(MEMBER(spool_usage))},
      {"SPOOL_MAX_BYTES", "Spool", "whole bytes, at least 65536", "67108864",
       "Bound of what waits in the spool; beyond it reports are refused.", false,
       Whole(MEMBER(spool_max_bytes), 1 << 16, kInt64Max)},
      {"SPOOL_MAX_AGE_SECS", "Spool", "whole seconds, 60 to 31536000", "604800",
       "What upstream did not take for so long is moved to the dead letters.", false,
       Duration(MEMBER(spool_max_age), 1000, 60, 31'536'000)},

      // Cache
      {"CACHE_MAX_SIZE_BYTES", "Cache", "whole bytes, at least 1048576",
       "half of the container's (else the machine's) memory", "Bound of the in-memory cache, in real bytes.", false,
       Whole(MEMBER(cache_max_size_bytes), 1 << 20, kInt64Max)},
      {"SNAPSHOT_PATH", "Cache", "path of a file in a directory that can be written", "none: no snapshot is kept",
       "What is in memory is kept in this file, and is answered from after a restart until upstream is heard.", false,
       Text(MEMBER(snapshot_path))},
      {"SNAPSHOT_INTERVAL_SECS", "Cache", "whole seconds, 1 to 86400", "60",
       "Time between two snapshots; one more is written at the end.", false,
       Duration(MEMBER(snapshot_interval), 1000, 1, 86'400)},

      // Redis
      {"REDIS_ENVIRONMENT_PREFIX", "Redis", "text without spaces and control characters", "none: Redis is off",
       "Switches Redis on and starts every key.", false, TextIf(MEMBER(redis.environment_prefix), HasNoSpaces)},
      {"REDIS_HOST", "Redis", "a host name or address", "localhost", "", false, Text(MEMBER(redis.host))},
      {"REDIS_PORT", "Redis", kPortAccepted, "6379", "", false, Whole(MEMBER(redis.port), 1, 65'535)},
      {"REDIS_SENTINELS", "Redis", "host[:port], comma-separated; the port is 26379 unless it is said",
       "none: REDIS_HOST says where Redis is", "Sentinels that say which Redis is the master.", false, Sentinels()},
      {"REDIS_MASTER_NAME", "Redis", "text without spaces and control characters", "none; needed with REDIS_SENTINELS",
       "What the Sentinels call the master.", false, TextIf(MEMBER(redis.master_name), HasNoSpaces)},
      {"REDIS_SENTINEL_PASSWORD", "Redis", "text", "none", "Password of the Sentinels.", true,
       Text(MEMBER(redis.sentinel_password.value))},
      {"REDIS_DB", "Redis", "a number, 0 to 1048576", "0", "Database number.", false,
       Whole(MEMBER(redis.db), 0, 1 << 20)},
      {"REDIS_USERNAME", "Redis", "text", "none", "ACL user.", false, Text(MEMBER(redis.username))},
      {"REDIS_PASSWORD", "Redis", "text", "none", "", true, Text(MEMBER(redis.password.value))},
      {"REDIS_TLS", "Redis", kBoolAccepted, "0", "", false, Bool(MEMBER(redis.tls))},
      {"REDIS_TLS_CA_FILE", "Redis", "path of a PEM file", "none", "Trusted beside the system's authorities.", false,
       Text(MEMBER(redis.tls_ca_file))},
      {"CACHE_UPDATE_POLICY", "Redis", "UPDATE_IF_EXISTS or UPSERT", "UPDATE_IF_EXISTS",
       "Whether pushed lists are written for customers that Redis does not hold.", false,
       OneOf(kUpdatePolicies, MEMBER(redis.update_only))},
      {"REDIS_EXTERNAL_WRITER", "Redis", kBoolAccepted, "0",
       "The vendor's persistent-cache-service keeps Redis current: records of its are trusted.", false,
       Bool(MEMBER(redis.external_writer))},
      {"REDIS_KEYS_TTL_IN_SECS", "Redis", "whole seconds, 1 to 315360000, or a negative number for no expiry", "604800",
       "Expiry of keys.", false, KeysTtl()},
      {"REDIS_TIMEOUT_MS", "Redis", kMillisAccepted, "50", "Budget of one command on the read path.", false,
       MillisFrom1(MEMBER(redis.timeout))},

      // Listeners
      {"LISTEN_ADDRESS", kListenersGroup, "an IP address", "::, which is IPv4 too; 127.0.0.1 for `dev`",
       "Address of all TCP listeners.", false, TextIf(MEMBER(listen_address), IsIpAddress)},
      {"PORT", kListenersGroup, kPortAccepted, "8443",
       "gRPC. `GET /livez` and `/readyz` over HTTP/1.1 answer here too.", false, Whole(MEMBER(port), 1, 65'535)},
      {"GRPC_PORT", kListenersGroup, kPortOrOffAccepted, "off (the image sets 80)",
       "Second gRPC port, always plaintext.", false, Whole(MEMBER(grpc_port), 0, 65'535)},
      {"TLS_CERT_FILE", kListenersGroup, "path of a PEM file", "none: PORT is plaintext",
       "Certificate that PORT shows, its chain after it; read again when it changes.", false,
       Text(MEMBER(tls.cert_file))},
      {"TLS_KEY_FILE", kListenersGroup, "path of a PEM file", "none; needed with TLS_CERT_FILE",
       "Its private key, without a passphrase.", false, Text(MEMBER(tls.key_file))},
      {"TLS_CLIENT_CA_FILE", kListenersGroup, "path of a PEM file", "none: clients show no certificate",
       "Who signs the certificates that clients must then show.", false, Text(MEMBER(tls.client_ca_file))},
      {"GRPC_SOCKET", kListenersGroup, "a path of at most 107 bytes", "off", "Unix domain socket for gRPC, mode 0660.",
       false, TextIf(MEMBER(grpc_socket), IsSocketPath)},
      {"GRPC_FRONT", kListenersGroup, "grpc or nghttp2", "nghttp2",
       "What serves gRPC without TLS: our own front on libnghttp2, or grpc++, which takes twice the CPU "
       "(docs/adr/0022).",
       false, OneOf(kPlaintextFronts, MEMBER(plaintext_front))},
      {"HTTP_PORT", kListenersGroup, kPortOrOffAccepted, "8080", "Probes and metrics over HTTP.", false, HttpPort()},
      {"HEALTH_ENDPOINT_URL", kListenersGroup, "a path", "livez", "Path of the liveness probe.", false,
       PathWithSlash(MEMBER(health_path))},
      {"ADMIN_TOKEN_FILE", kListenersGroup, "path of a file", "none: `/admin/` is answered on this machine only",
       "Its text is the token that `/admin/` asks for; read again for each request.", false,
       Text(MEMBER(admin_token_file))},
      {"READY_ENDPOINT_URL", kListenersGroup, "a path", "readyz", "Path of the readiness probe.", false,
       PathWithSlash(MEMBER(ready_path))},

      // Shadow
      {"SHADOW_TARGET", "Shadow", "host:port or unix:/path", "none: nobody else is asked",
       "Another sidecar, the vendor's for instance, that a sample of the reads is asked of too, after they are "
       "answered: differences are counted (docs/migrating.md).",
       false, TextIf(MEMBER(shadow_target), IsGrpcTarget)},
      {"SHADOW_SAMPLE_PERCENT", "Shadow", "a number, 0.01 to 100", "1", "How many of the reads.", false,
       SamplePercent()},
      {"SHADOW_TIMEOUT_MS", "Shadow", kMillisAccepted, "1000", "Longest wait for the other's answer.", false,
       MillisFrom1(MEMBER(shadow_timeout))},
      {"SHADOW_IGNORE_FIELDS", "Shadow", "names of fields, or Method.field, comma-separated", "none",
       "Fields that may differ, with all that is inside them; named as in `sidecar_shadow_differences_total`.", false,
       ShadowFields()},

      // Life
      {"START_GRACE_MS", "Life", "whole milliseconds, 0 to 3600000", "5000",
       "Ready at the latest this long after the start, whatever upstream does.", false,
       Duration(MEMBER(start_grace), 1, 0, 3'600'000)},
      {"DRAIN_SETTLE_MS", "Life", "whole milliseconds, 0 to 3600000", "2000",
       "After SIGTERM: go on accepting this long while clients see NOT_SERVING and move away.", false,
       Duration(MEMBER(drain_settle), 1, 0, 3'600'000)},
      {"DRAIN_TIMEOUT_MS", "Life", kMillisAccepted, "10000", "After SIGTERM: end at the latest, settling included.",
       false, MillisFrom1(MEMBER(drain_timeout))},
      {"END_WITH_PARENT", "Life", kBoolAccepted, "0",
       "End, as after SIGTERM, when the process that started this one has ended.", false,
       Bool(MEMBER(end_with_parent))},
      {"RECORD_PATH", "Life", "path of a file in a directory that can be written", "none: nothing is recorded",
       "Requests, upstream's answers and pushes are written to this file, without saying who the customers are, for "
       "`stigg-sidecar replay`.",
       false, Text(MEMBER(record_path))},
      {"RECORD_MAX_BYTES", "Life", "whole bytes, at least 65536", "67108864", "Where the recording ends.", false,
       Whole(MEMBER(record_max_bytes), 1 << 16, kInt64Max)},
      {"OTEL_EXPORTER_OTLP_ENDPOINT", "Life", kHttpUrlAccepted, "none: spans are not recorded",
       "Collector of traces, OTLP over HTTP; spans of callers whose traceparent is sampled go to /v1/traces.", false,
       Url(MEMBER(otlp_endpoint), "http", "https")},
      {"OTEL_SERVICE_NAME", "Life", "text", "stigg-sidecar", "What traces call this service.", false,
       Text(MEMBER(otel_service_name))},
      {"LOG_LEVEL", "Life", "error, warn, info or debug", "warn", "", false, LogLevel()},
      {"LOG_FORMAT", "Life", "auto, text or json", "auto: text at a terminal, else JSON", "One line a message.", false,
       OneOf(kLogFormats, MEMBER(log_format))},
  };
}

#undef MEMBER

}  // namespace

const std::vector<Setting>& Settings() {
  static const auto* const settings = new std::vector<Setting>(MakeSettings());
  return *settings;
}

std::string_view ValueOf(const Environment& environment, std::string_view name) {
  const auto found = environment.find(std::string(name));
  return found == environment.end() ? std::string_view() : StripWhitespace(found->second);
}

}  // namespace sidecar
