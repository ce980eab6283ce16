// From an upstream failure to what the caller of a write sees (design section 9).
#pragma once

#include <string>

#include "absl/status/status.h"
#include "core/usage_reporter.h"
#include "service/call.h"

namespace sidecar {

/// Ends the call: the vendor's prefix and upstream's text, the trace id, how much of a split
/// call was acknowledged, and for RESOURCE_EXHAUSTED a google.rpc.RetryInfo.
void FailReport(Call& call, std::string_view prefix, const ReportOutcome& outcome);

/// A serialised google.rpc.Status whose one detail is RetryInfo.
std::string EncodeRetryInfo(const absl::Status& status, Millis retry_after);

}  // namespace sidecar
