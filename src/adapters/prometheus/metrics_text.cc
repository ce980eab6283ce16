#include "adapters/prometheus/metrics_text.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

namespace sidecar {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily One(std::string name, std::string help, MetricType type, double value) {
  MetricFamily family{.name = std::move(name), .help = std::move(help), .type = type};
  ClientMetric& metric = family.metric.emplace_back();
  (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
  return family;
}

MetricFamily FamilyOf(const ExtraSeries& series) {
  MetricFamily family{
      .name = series.name, .help = series.help, .type = series.counter ? MetricType::Counter : MetricType::Gauge};
  for (const auto& [label, value] : series.values) {
    ClientMetric& metric = family.metric.emplace_back();
    if (!series.label.empty()) metric.label.push_back({.name = series.label, .value = label});
    (series.counter ? metric.counter.value : metric.gauge.value) = value;
  }
  return family;
}

MetricFamily FamilyOf(const AgeHistogram& ages) {
  MetricFamily family{.name = "sidecar_decision_age_seconds",
                      .help = "Time since the data of an answer was last known to be current.",
                      .type = MetricType::Histogram};
  ClientMetric::Histogram& histogram = family.metric.emplace_back().histogram;
  for (size_t i = 0; i <= AgeHistogram::kBoundsSecs.size(); ++i) {
    histogram.sample_count += ages.bucket(i);
    const double bound =
        i < AgeHistogram::kBoundsSecs.size() ? AgeHistogram::kBoundsSecs[i] : std::numeric_limits<double>::infinity();
    histogram.bucket.push_back({.cumulative_count = histogram.sample_count, .upper_bound = bound});
  }
  histogram.sample_sum = ages.sum_secs();
  return family;
}

ClientMetric::Histogram HistogramOf(const DurationHistogram& durations) {
  ClientMetric::Histogram histogram;
  for (size_t i = 0; i <= DurationHistogram::kBounded; ++i) {
    histogram.sample_count += durations.bucket(i);
    const double bound =
        i < DurationHistogram::kBounded ? DurationHistogram::BoundSecs(i) : std::numeric_limits<double>::infinity();
    histogram.bucket.push_back({.cumulative_count = histogram.sample_count, .upper_bound = bound});
  }
  histogram.sample_sum = durations.sum_secs();
  return histogram;
}

using Labels = std::vector<ClientMetric::Label>;

void AddHistogram(MetricFamily& family, Labels labels, const DurationHistogram& durations) {
  ClientMetric& metric = family.metric.emplace_back();
  metric.label = std::move(labels);
  metric.histogram = HistogramOf(durations);
}

void AddCount(MetricFamily& family, Labels labels, uint64_t value) {
  ClientMetric& metric = family.metric.emplace_back();
  metric.label = std::move(labels);
  metric.counter.value = static_cast<double>(value);
}

ClientMetric::Label Label(const char* name, std::string_view value) {
  return {.name = name, .value = std::string(value)};
}

/// Series of what never happened are left out, but for the first of each label, so that rates begin at zero.
void AddRpcs(const RpcSeries& rpc, std::vector<MetricFamily>& families) {
  MetricFamily requests{
      .name = "sidecar_rpc_requests_total", .help = "Calls that were answered.", .type = MetricType::Counter};
  MetricFamily durations{.name = "sidecar_rpc_duration_seconds",
                         .help = "From the arrival of a call to its answer, by the sidecar's clock.",
                         .type = MetricType::Histogram};
  for (size_t method = 0; method < rpc.metrics.size(); ++method) {
    const RpcMetrics& metrics = rpc.metrics[method];
    uint64_t ok = 0;
    for (size_t i = 0; i <= DurationHistogram::kBounded; ++i) ok += metrics.duration.bucket(i);
    for (size_t code = 1; code < kRpcCodes.size(); ++code) {
      const uint64_t failures = metrics.failures[code].load(std::memory_order_relaxed);
      ok -= std::min(ok, failures);
      if (failures > 0) {
        AddCount(requests, {Label("method", rpc.methods[method]), Label("code", kRpcCodes[code])}, failures);
      }
    }
    AddCount(requests, {Label("method", rpc.methods[method]), Label("code", kRpcCodes[0])}, ok);
    AddHistogram(durations, {Label("method", rpc.methods[method])}, metrics.duration);
  }
  families.push_back(std::move(requests));
  families.push_back(std::move(durations));
}

void AddDecisions(const DecisionCounters& decisions, std::vector<MetricFamily>& families) {
  MetricFamily family{.name = "sidecar_decisions_total",
                      .help = "Single checks, by what was asked for, the verdict, and where the answer came from.",
                      .type = MetricType::Counter};
  for (size_t type = 0; type < kDecisionTypes.size(); ++type) {
    for (const bool granted : {true, false}) {
      for (size_t source = 1; source < kDecisionSources.size(); ++source) {
        const uint64_t value = decisions.value(type, granted, source);
        if (value == 0 && source > 1) continue;
        AddCount(family,
                 {Label("type", kDecisionTypes[type]), Label("result", granted ? "granted" : "denied"),
                  Label("source", kDecisionSources[source])},
                 value);
      }
    }
  }
  families.push_back(std::move(family));
}

void AddOverlay(const Metrics& metrics, std::vector<MetricFamily>& families) {
  MetricFamily reconciled{.name = "sidecar_usage_overlay_reconciled_total",
                          .help = "Pending reports that are over, by what was shown against what upstream said.",
                          .type = MetricType::Counter};
  for (size_t outcome = 0; outcome < kUsageOverlayOutcomes.size(); ++outcome) {
    AddCount(reconciled, {Label("outcome", kUsageOverlayOutcomes[outcome])},
             metrics.usage_overlay_reconciled.value(outcome));
  }
  families.push_back(std::move(reconciled));
  families.push_back(One("sidecar_usage_overlay_drift_total", "Units of usage between the two, without signs.",
                         MetricType::Counter, metrics.usage_overlay_drift.load(std::memory_order_relaxed)));
}

void AddExchanges(const Metrics& metrics, std::vector<MetricFamily>& families) {
  MetricFamily requests{.name = "sidecar_upstream_requests_total",
                        .help = "Exchanges with upstream, retries included.",
                        .type = MetricType::Counter};
  MetricFamily durations{.name = "sidecar_upstream_request_duration_seconds",
                         .help = "Of these exchanges, from their sending to their end.",
                         .type = MetricType::Histogram};
  for (size_t target = 0; target < kUpstreamTargets.size(); ++target) {
    const UpstreamExchanges& exchanges = metrics.upstream[target];
    for (size_t outcome = 0; outcome < kUpstreamOutcomes.size(); ++outcome) {
      AddCount(requests, {Label("target", kUpstreamTargets[target]), Label("outcome", kUpstreamOutcomes[outcome])},
               exchanges.outcomes.value(outcome));
    }
    AddHistogram(durations, {Label("target", kUpstreamTargets[target])}, exchanges.duration);
  }
  families.push_back(std::move(requests));
  families.push_back(std::move(durations));
}

}  // namespace

std::string SeriesText(const std::vector<ExtraSeries>& series) {
  std::vector<MetricFamily> families;
  families.reserve(series.size());
  for (const ExtraSeries& each : series) families.push_back(FamilyOf(each));
  return prometheus::TextSerializer().Serialize(families);
}

std::string MetricsText(const Metrics& metrics, const EntitlementCache& cache, const std::string& version,
                        const RpcSeries& rpc, const std::vector<ExtraSeries>& extra) {
  std::vector<MetricFamily> families;
  const auto counter = [&](const char* name, const char* help, uint64_t value) {
    families.push_back(One(name, help, MetricType::Counter, static_cast<double>(value)));
  };
  const auto gauge = [&](const char* name, const char* help, size_t value) {
    families.push_back(One(name, help, MetricType::Gauge, static_cast<double>(value)));
  };
  counter("sidecar_initialization_errors_total", "Start-up checks of upstream that failed.",
          metrics.initialization_errors.value());
  counter("sidecar_invalid_api_key_errors_total", "Exchanges in which upstream rejected the API key.",
          metrics.invalid_api_key_errors.value());
  counter("sidecar_network_request_errors_total", "Exchanges with upstream that failed for another reason.",
          metrics.network_request_errors.value());
  counter("sidecar_redis_client_errors_total", "Redis commands that failed.", metrics.redis_client_errors.value());
  counter("sidecar_redis_malformed_total", "Records in Redis that could not be used.", metrics.redis_malformed.value());
  counter("sidecar_redis_writes_total", "Changes that were written to Redis.", metrics.redis_writes.value());
  counter("sidecar_redis_skipped_writes_total", "Changes that were older than what Redis has.",
          metrics.redis_unwritten.value());
  counter("sidecar_redis_failed_writes_total", "Changes that could not be written to Redis.",
          metrics.redis_failed_writes.value());
  gauge("sidecar_redis_up", "1: Redis is connected and answers in time.", metrics.redis_up.value());
  counter("sidecar_cache_hits_total", "Reads that found a record in memory.", metrics.cache_hits.value());
  counter("sidecar_cache_misses_total", "Reads that found none.", metrics.cache_misses.value());

  counter("sidecar_stale_answers_total", "Answers from a record that wants a refresh.", metrics.stale_answers.value());
  counter("sidecar_fallback_answers_total", "Answers from fallbacks.", metrics.fallback_answers.value());
  counter("sidecar_upstream_coalesced_total", "Reads that waited for a fetch another read had started.",
          metrics.coalesced_reads.value());
  counter("sidecar_upstream_shed_total", "Fetches refused because too many were queued.", metrics.shed_fetches.value());
  counter("sidecar_waiters_refused_total", "Reads that could not wait because too many did.",
          metrics.refused_waiters.value());
  counter("sidecar_upstream_malformed_responses_total", "Answers of upstream that could not be used.",
          metrics.malformed_responses.value());
  counter("sidecar_upstream_skipped_entitlements_total", "Entries of an unknown shape left out of usable answers.",
          metrics.skipped_entitlements.value());
  counter("sidecar_clamped_values_total", "Numeric values that did not fit the contract's int32.",
          metrics.clamped_values.value());
  counter("sidecar_rejected_requests_total", "Requests answered INVALID_ARGUMENT.", metrics.rejected_requests.value());

  gauge("sidecar_spool_up", "1 while reports can be spooled.", metrics.spool_up.value());
  gauge("sidecar_spool_records", "Spooled records that upstream does not have yet.", metrics.spool_records.value());
  gauge("sidecar_spool_bytes", "Bytes of these records, as SPOOL_MAX_BYTES counts them.", metrics.spool_bytes.value());
  counter("sidecar_spool_delivered_total", "Spooled records that upstream acknowledged.",
          metrics.spool_delivered.value());
  counter("sidecar_spool_dead_total", "Spooled records that became dead letters.", metrics.spool_dead.value());
  counter("sidecar_spool_dropped_total",
          "Records refused for want of room, too old, or pushed out of the dead letters.",
          metrics.spool_dropped.value());

  gauge("sidecar_usage_overlay_pending", "Acknowledged reports that are shown before the record has them.",
        metrics.usage_overlay_pending.value());
  counter("sidecar_usage_overlay_refused_total", "Acknowledged reports not shown early: too many were pending.",
          metrics.usage_overlay_refused.value());
  AddOverlay(metrics, families);

  gauge("sidecar_snapshot_records", "Records in the snapshot written last; until then, those restored.",
        metrics.snapshot_records.value());
  families.push_back(One("sidecar_snapshot_written_timestamp_seconds", "When a snapshot was written last; 0: never.",
                         MetricType::Gauge, static_cast<double>(metrics.snapshot_written_at_ms.value()) / 1000));
  counter("sidecar_snapshot_errors_total", "Snapshots that could not be written or restored.",
          metrics.snapshot_errors.value());

  const EntitlementCache::Stats stats = cache.stats();
  gauge("sidecar_cache_entries", "Records in memory.", stats.entries);
  gauge("sidecar_cache_bytes", "Bytes of records, tables and definitions.", stats.bytes);
  gauge("sidecar_cache_limit_bytes", "Bound of sidecar_cache_bytes.", cache.limit_bytes());
  counter("sidecar_cache_evictions_total", "Records evicted for want of room.", stats.evictions);
  counter("sidecar_cache_oversize_total", "Records too large to be kept.", stats.oversize);

  gauge("sidecar_tls_not_after_timestamp_seconds", "When the certificate of PORT ends; 0: there is none.",
        metrics.tls_not_after_secs.value());
  counter("sidecar_tls_reload_errors_total", "Changed certificate files that could not be used.",
          metrics.tls_reload_errors.value());

  AddRpcs(rpc, families);
  AddDecisions(metrics.decisions, families);
  AddExchanges(metrics, families);
  MetricFamily redis{.name = "sidecar_redis_command_duration_seconds",
                     .help = "From the sending of a command to its reply.",
                     .type = MetricType::Histogram};
  AddHistogram(redis, {}, metrics.redis_commands);
  families.push_back(std::move(redis));
  families.push_back(FamilyOf(metrics.decision_age));
  for (const ExtraSeries& series : extra) families.push_back(FamilyOf(series));

  MetricFamily build = One("sidecar_build_info", "Always 1.", MetricType::Gauge, 1);
  build.metric[0].label.push_back({.name = "version", .value = version});
  families.push_back(std::move(build));
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace sidecar
