// One exchange with upstream: headers, transport, failure mapping, counting.
#pragma once

#include <functional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "adapters/json/json.h"
#include "adapters/upstream/identity.h"
#include "core/metrics.h"
#include "ports/clock.h"
#include "ports/http_transport.h"
#include "ports/trace.h"
#include "ports/upstream_failure.h"

namespace sidecar {

/// Thread-safe.
class UpstreamHttp {
 public:
  /// Gets the `data` member of a successful answer: an object.
  using Done = absl::AnyInvocable<void(UpstreamResult<Json>) &&>;

  /// The trace that the thread works for is passed on (ports/trace.h), and goes on in `done`.
  /// `on_rejected` is called for every exchange that upstream refused for its key.
  UpstreamHttp(
      HttpTransport& transport, ProcessIdentity identity, ApiKeySource api_key, Clock& clock, Metrics& metrics,
      std::function<void()> on_rejected = [] {}, Tracer* tracer = nullptr)
      : transport_(transport),
        identity_(std::move(identity)),
        api_key_(std::move(api_key)),
        clock_(clock),
        metrics_(metrics),
        on_rejected_(std::move(on_rejected)),
        tracer_(tracer) {}

  /// `url` absolute and encoded.
  void GetEdge(std::string url, MonoTime deadline, Done done);

  /// `once`: a mutation, never repeated by the transport.
  void PostGraphql(std::string url, std::string_view operation, std::string body, bool once, MonoTime deadline,
                   Done done);

 private:
  void Send(UpstreamTarget target, std::string name, HttpRequest request, MonoTime deadline, Done done);
  UpstreamResult<Json> Read(const HttpResult& result);
  void RecordSpan(std::string name, const TraceContext& own, const SpanId& parent, std::chrono::nanoseconds took,
                  UpstreamOutcome outcome);
  void Count(const UpstreamFailure& failure);

  HttpTransport& transport_;
  const ProcessIdentity identity_;
  const ApiKeySource api_key_;
  Clock& clock_;
  Metrics& metrics_;
  const std::function<void()> on_rejected_;
  Tracer* const tracer_;  // nullptr: spans are not recorded
};

}  // namespace sidecar
