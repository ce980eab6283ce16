// What the HTTP port answers: probes and metrics.
#pragma once

#include <functional>
#include <string>

#include "adapters/http_server/http_server.h"

namespace sidecar {

struct AdminRoutes {
  std::string health_path = "/livez";
  std::string ready_path = "/readyz";
  std::function<bool()> ready;
  std::function<std::string()> metrics_text;
  /// JSON, at /status; empty: there is none.
  std::function<std::string()> status_text{};
  /// HTML, at /status, for whoever does not ask for JSON; empty: JSON for all.
  std::string_view status_page{};
};

/// Answers one request. `probes_only`: on the gRPC port, where /metrics is not served.
/// Thread-safe.
ServerResponse AnswerAdmin(const AdminRoutes& routes, const ServerRequest& request, bool probes_only);

}  // namespace sidecar
