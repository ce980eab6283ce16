// Everything the daemon counts, in one place. The Prometheus adapter renders it; names and
// meaning of each series: docs/metrics.md.
#pragma once

#include "core/age_histogram.h"
#include "core/counter.h"
#include "core/decision_counters.h"
#include "core/duration_histogram.h"
#include "core/gauge.h"
#include "core/labelled_counters.h"
#include "core/upstream_metrics.h"
#include "core/usage_overlay_outcome.h"

namespace sidecar {

struct Metrics {
  // The vendor's counters, by exact name (docs/protocol.md section 6).
  Counter initialization_errors;   ///< the start-up check failed
  Counter invalid_api_key_errors;  ///< upstream rejected the key
  Counter network_request_errors;  ///< an exchange with upstream failed, whatever the reason
  Counter redis_client_errors;
  Counter cache_hits;    ///< reads that found a record in memory
  Counter cache_misses;  ///< reads that did not

  // Ours.
  Counter stale_answers;         ///< answered from a suspect record
  Counter fallback_answers;      ///< answered without a record
  Counter coalesced_reads;       ///< waited for a fetch that another read had started
  Counter shed_fetches;          ///< refused because the fetch queue was full
  Counter refused_waiters;       ///< refused because too many calls were waiting
  Counter malformed_responses;   ///< upstream bodies that could not be used
  Counter skipped_entitlements;  ///< entries of an unknown shape left out of a usable body
  Counter clamped_values;        ///< numeric values that do not fit int32
  Counter rejected_requests;     ///< requests answered INVALID_ARGUMENT
  AgeHistogram decision_age;     ///< of every answer from a record
  DecisionCounters decisions;    ///< of every single check

  // Exchanges with upstream, by UpstreamTarget; retries are exchanges of their own.
  std::array<UpstreamExchanges, kUpstreamTargets.size()> upstream;

  // Connections.
  Gauge tls_not_after_secs;   ///< since 1970, of the listener's certificate; 0: no TLS
  Counter tls_reload_errors;  ///< certificates that were not taken over

  // The warm snapshot.
  Gauge snapshot_records;        ///< in the one written last; until then, restored
  Gauge snapshot_written_at_ms;  ///< since 1970; 0: none was written yet
  Counter snapshot_errors;       ///< could not be written or restored

  // Redis.
  Gauge redis_up;           ///< 1: connected, and answering in time
  Counter redis_malformed;  ///< records in Redis that could not be used
  Counter redis_writes;     ///< scripts that wrote
  Counter redis_unwritten;  ///< scripts that found something newer, or not what they update
  Counter redis_failed_writes;
  DurationHistogram redis_commands;  ///< from the sending of a command to its reply

  // The durable spool.
  Gauge spool_up;           ///< 1: reports can be spooled
  Gauge spool_records;      ///< not delivered yet
  Gauge spool_bytes;        ///< of them, as SPOOL_MAX_BYTES counts
  Counter spool_delivered;  ///< acknowledged by upstream, from the spool
  Counter spool_dead;       ///< moved to the dead letters
  Counter spool_dropped;    ///< refused for want of room, too old, or the oldest of too many dead letters

  // Acknowledged usage that is shown before the record has it.
  Gauge usage_overlay_pending;
  Counter usage_overlay_refused;  ///< not shown early: too many are pending
  LabelledCounters<UsageOverlayOutcome, kUsageOverlayOutcomes.size()> usage_overlay_reconciled;
  std::atomic<double> usage_overlay_drift{0};  ///< usage units between what was shown and what upstream said
};

}  // namespace sidecar
