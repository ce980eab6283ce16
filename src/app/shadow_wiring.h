// SHADOW_TARGET: the other sidecar that a sample of the reads is asked of too, and what that shows.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "adapters/json/json.h"
#include "adapters/prometheus/metrics_text.h"
#include "config/config.h"
#include "shadow/shadow.h"

namespace sidecar {

/// INVALID_ARGUMENT: SHADOW_IGNORE_FIELDS names something that no answer has.
absl::Status CheckShadowFields(const Config& config);

/// nullptr: none is configured.
std::unique_ptr<Shadow> MakeShadow(const Config& config, Clock& clock);

/// Without customers: for /status.
Json ShadowStatus(const Config& config, const ShadowReport& report);
/// The latest differing answers, with them: for /admin/shadow.
std::string ShadowSamples(const Shadow& shadow);
std::vector<ExtraSeries> SeriesOf(const ShadowReport& report);

}  // namespace sidecar
