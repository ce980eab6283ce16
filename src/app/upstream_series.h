#pragma once

#include <vector>

#include "adapters/prometheus/metrics_text.h"
#include "adapters/system/process_figures.h"
#include "app/upstream.h"

namespace sidecar {

/// What metrics tell of the connections to upstream (docs/metrics.md).
std::vector<ExtraSeries> SeriesOf(const UpstreamStatus& status);

/// What metrics tell of the process, under the names that Prometheus' own libraries use.
std::vector<ExtraSeries> SeriesOf(const ProcessFigures& figures);

}  // namespace sidecar
