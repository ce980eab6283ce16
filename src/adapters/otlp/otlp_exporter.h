#pragma once

#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "core/counter.h"
#include "ports/clock.h"
#include "ports/http_transport.h"
#include "ports/timers.h"
#include "ports/trace.h"

namespace sidecar {

struct OtlpSettings {
  std::string endpoint;  ///< without trailing slash, e.g. http://collector:4318
  std::string service_name;
  std::string service_version;
  size_t waiting_max = 2'048;  ///< spans; beyond it they are dropped and counted
  size_t batch_max = 512;
  Millis every{5'000};
  Millis timeout{10'000};
};

/// Sends spans to an OpenTelemetry collector: OTLP over HTTP, as JSON, in batches, at most once. Source:
/// opentelemetry.io/docs/specs/otlp, "OTLP/HTTP". Thread-safe; lives as long as its timers.
class OtlpExporter : public Tracer {
 public:
  OtlpExporter(HttpTransport& transport, Clock& clock, Timers& timers, OtlpSettings settings);

  TraceContext Child(const TraceContext& parent) override;
  void Record(Span span) override;

  /// Sends what waits; `done` is called once that was answered, or given up.
  void Flush(absl::AnyInvocable<void() &&> done);

  uint64_t exported() const { return exported_.value(); }
  /// For want of room, or since the collector did not take them.
  uint64_t dropped() const { return dropped_.value(); }

 private:
  struct Ended {
    Span span;
    WallTime at;
  };

  void Tick();
  std::vector<Ended> Take();
  void Send(const std::vector<Ended>& batch, absl::AnyInvocable<void() &&> done);
  std::string Encode(const std::vector<Ended>& batch) const;

  HttpTransport& transport_;
  Clock& clock_;
  Timers& timers_;
  const OtlpSettings settings_;
  absl::Mutex mu_;
  std::vector<Ended> waiting_ ABSL_GUARDED_BY(mu_);
  Counter exported_;
  Counter dropped_;
};

}  // namespace sidecar
