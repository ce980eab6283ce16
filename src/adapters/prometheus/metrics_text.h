#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cache/entitlement_cache.h"
#include "core/metrics.h"
#include "core/rpc_metrics.h"

namespace sidecar {

/// A series that its owner describes: a counter or a gauge with at most one label.
struct ExtraSeries {
  std::string name;
  std::string help;
  bool counter = false;
  std::string label;                                   ///< empty: none, and one value
  std::vector<std::pair<std::string, double>> values;  ///< by the label's value
};

/// The series alone, in Prometheus' text format.
std::string SeriesText(const std::vector<ExtraSeries>& series);

/// What the front counts: `metrics[i]` of the method `methods[i]`.
struct RpcSeries {
  std::span<const RpcMetrics> metrics;
  std::span<const std::string_view> methods;
};

/// All series in Prometheus' text format. Names and meaning: docs/metrics.md.
std::string MetricsText(const Metrics& metrics, const EntitlementCache& cache, const std::string& version,
                        const RpcSeries& rpc, const std::vector<ExtraSeries>& extra);

}  // namespace sidecar
