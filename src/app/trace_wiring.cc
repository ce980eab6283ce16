#include "app/trace_wiring.h"

#include "app/version.h"

namespace sidecar {
namespace {

/// By when the HTTP library must have let go of an exchange whose time limit is over.
constexpr Millis kExportTimeout{15'000};

}  // namespace

std::unique_ptr<TraceWiring> TraceWiring::Make(const Config& config, Clock& clock, Timers& timers) {
  if (config.otlp_endpoint.empty()) return nullptr;
  return std::make_unique<TraceWiring>(config, clock, timers);
}

TraceWiring::TraceWiring(const Config& config, Clock& clock, Timers& timers)
    : transport_(timers, {.proxy = {config.https_proxy, config.http_proxy, config.no_proxy},
                          .extra_ca_file = config.extra_ca_file,
                          .library_timeout = kExportTimeout}),
      exporter_(transport_, clock, timers,
                {.endpoint = config.otlp_endpoint,
                 .service_name = config.otel_service_name,
                 .service_version = std::string(kVersion)}) {}

}  // namespace sidecar
