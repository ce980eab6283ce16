#pragma once

#include <vector>

#include "adapters/prometheus/metrics_text.h"
#include "app/upstream.h"

namespace sidecar {

/// What metrics tell of the connections to upstream (docs/metrics.md).
std::vector<ExtraSeries> SeriesOf(const UpstreamStatus& status);

}  // namespace sidecar
