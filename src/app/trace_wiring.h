// Spans on their way to a collector.
#pragma once

#include <memory>

#include "adapters/http/cpprest_transport.h"
#include "adapters/otlp/otlp_exporter.h"
#include "config/config.h"
#include "ports/clock.h"
#include "ports/timers.h"

namespace sidecar {

class TraceWiring {
 public:
  /// nullptr: OTEL_EXPORTER_OTLP_ENDPOINT is not set.
  static std::unique_ptr<TraceWiring> Make(const Config& config, Clock& clock, Timers& timers);

  TraceWiring(const Config& config, Clock& clock, Timers& timers);

  OtlpExporter& exporter() { return exporter_; }

 private:
  CpprestTransport transport_;
  OtlpExporter exporter_;
};

}  // namespace sidecar
