#include "app/status_json.h"

#include "adapters/json/json.h"
#include "app/version.h"

namespace sidecar {
namespace {

Json DateOrNull(std::optional<WallTime> date) { return date.has_value() ? Json(FormatDate(*date)) : Json(nullptr); }

Json TextOrNull(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

Json TargetJson(const CircuitBreaker::State& breaker, const UpstreamExchanges& exchanges) {
  Json requests = Json::object();
  for (size_t i = 0; i < kUpstreamOutcomes.size(); ++i)
    requests[std::string(kUpstreamOutcomes[i])] = exchanges.outcomes.value(i);
  return {{"breaker", breaker.open ? "open" : "closed"},
          {"failuresInARow", breaker.failures},
          {"opened", breaker.opened},
          {"requests", std::move(requests)}};
}

Json FeedJson(const std::optional<FeedStatus>& feed) {
  if (!feed.has_value()) return nullptr;
  constexpr const char* kStates[] = {"stopped", "connecting", "live", "waiting"};
  Json out = {{"state", kStates[static_cast<size_t>(feed->state)]}, {"since", DateOrNull(feed->since)}};
  out["generation"] = !feed->generation.has_value()          ? Json(nullptr)
                      : *feed->generation == Generation::kV2 ? Json("v2")
                                                             : Json("v1");
  out["interruptedSubscriptions"] = feed->interrupted_subscriptions;
  out["lastError"] = TextOrNull(feed->last_error);
  out["lastErrorAt"] = DateOrNull(feed->last_error_at);
  return out;
}

Json RedisJson(const std::optional<StatusParts::Redis>& redis) {
  if (!redis.has_value()) return nullptr;
  return {{"up", redis->client.up},
          {"since", DateOrNull(redis->client.since)},
          {"maintained", redis->maintained},
          {"leader", redis->leads},
          {"lastError", TextOrNull(redis->client.last_error)},
          {"lastErrorAt", DateOrNull(redis->client.last_error_at)}};
}

Json ReadsJson(const Metrics& metrics) {
  const uint64_t hits = metrics.cache_hits.value();
  const uint64_t misses = metrics.cache_misses.value();
  Json out = {{"hits", hits}, {"misses", misses}};
  out["hitRatio"] =
      hits + misses == 0 ? Json(nullptr) : Json(static_cast<double>(hits) / static_cast<double>(hits + misses));
  out["stale"] = metrics.stale_answers.value();
  out["fallbacks"] = metrics.fallback_answers.value();
  return out;
}

Json SourcesJson(const DecisionCounters& decisions) {
  Json out = Json::object();
  for (size_t source = 1; source < kDecisionSources.size(); ++source) {
    uint64_t sum = 0;
    for (size_t type = 0; type < kDecisionTypes.size(); ++type) {
      sum += decisions.value(type, true, source) + decisions.value(type, false, source);
    }
    out[std::string(kDecisionSources[source])] = sum;
  }
  return out;
}

Json SpoolJson(const Config& config, const Metrics& metrics) {
  if (config.spool_path.empty()) return nullptr;
  return {{"up", metrics.spool_up.value() == 1},  {"records", metrics.spool_records.value()},
          {"bytes", metrics.spool_bytes.value()}, {"delivered", metrics.spool_delivered.value()},
          {"dead", metrics.spool_dead.value()},   {"dropped", metrics.spool_dropped.value()}};
}

Json SnapshotJson(const Config& config, const Metrics& metrics) {
  if (config.snapshot_path.empty()) return nullptr;
  const auto written_at = static_cast<int64_t>(metrics.snapshot_written_at_ms.value());
  return {{"records", metrics.snapshot_records.value()},
          {"writtenAt", written_at == 0 ? Json(nullptr) : Json(FormatDate(WallTimeFromEpochMs(written_at)))},
          {"errors", metrics.snapshot_errors.value()}};
}

}  // namespace

std::string StatusJson(const StatusParts& parts) {
  const EntitlementCache::Stats cache = parts.cache.stats();
  Json out = {{"version", kVersion},
              {"startedAt", FormatDate(parts.started_at)},
              {"uptimeSecs", (parts.now - parts.started_at).count() / 1000},
              {"ready", parts.ready}};
  out["reads"] = ReadsJson(parts.metrics);
  out["decisionsBySource"] = SourcesJson(parts.metrics.decisions);
  out["cache"] = {{"entries", cache.entries},
                  {"bytes", cache.bytes},
                  {"limitBytes", parts.cache.limit_bytes()},
                  {"evictions", cache.evictions},
                  {"oversize", cache.oversize}};
  out["upstream"] = {{"edge", TargetJson(parts.upstream.edge_breaker, parts.metrics.upstream[0])},
                     {"graphql", TargetJson(parts.upstream.graphql_breaker, parts.metrics.upstream[1])}};
  out["websocket"] = FeedJson(parts.upstream.feed);
  out["redis"] = RedisJson(parts.redis);
  out["shadow"] = parts.shadow;
  out["spool"] = SpoolJson(parts.config, parts.metrics);
  out["snapshot"] = SnapshotJson(parts.config, parts.metrics);
  const auto not_after = static_cast<int64_t>(parts.metrics.tls_not_after_secs.value());
  out["tls"] = not_after == 0 ? Json(nullptr) : Json{{"notAfter", FormatDate(WallTimeFromEpochMs(not_after * 1000))}};
  out["configuration"] = parts.configuration;
  return DumpIndented(out);
}

}  // namespace sidecar
