// What is noted of every call, whichever front it comes through: how it ended, how long it took, its span.
#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <string_view>

#include "core/rpc_metrics.h"
#include "ports/trace.h"
#include "service/methods.h"

namespace sidecar {

/// Of all calls of a front. `tracer`: nullptr when spans are not recorded.
struct CallBooks {
  std::array<RpcMetrics, kMethodCount>& metrics;
  Tracer* tracer;
};

/// Of one call. Used by one thread at a time.
class CallAccount {
 public:
  void Begin(Method method);

  /// The call's span, or what the caller sent where spans are not recorded. `traceparent`: that metadata.
  std::optional<TraceContext> Trace(const CallBooks& books, std::string_view traceparent);

  /// `code`: of the status.
  void End(const CallBooks& books, int code, std::string_view traceparent);

 private:
  Method method_{};
  std::optional<TraceContext> caller_;  // what the caller sent
  std::optional<TraceContext> own_;     // the span of this call, where spans are recorded
  std::chrono::steady_clock::time_point arrived_at_;
};

}  // namespace sidecar
