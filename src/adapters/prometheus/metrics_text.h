#pragma once

#include <string>

#include "cache/entitlement_cache.h"
#include "core/metrics.h"

namespace sidecar {

/// All series in Prometheus' text format. Names and meaning: docs/metrics.md.
std::string MetricsText(const Metrics& metrics, const EntitlementCache& cache, const std::string& version);

}  // namespace sidecar
