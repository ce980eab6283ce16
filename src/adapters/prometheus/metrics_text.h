#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cache/entitlement_cache.h"
#include "core/metrics.h"

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

/// All series in Prometheus' text format. Names and meaning: docs/metrics.md.
std::string MetricsText(const Metrics& metrics, const EntitlementCache& cache, const std::string& version,
                        const std::vector<ExtraSeries>& extra);

}  // namespace sidecar
