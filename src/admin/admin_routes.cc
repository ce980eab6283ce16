#include "admin/admin_routes.h"

namespace sidecar {
namespace {

ServerResponse Probe(bool up) {
  // The exact bytes are part of the contract (design section 13).
  return {.status = up ? 200 : 503, .body = up ? R"({"status":"UP"})" : R"({"status":"DOWN"})"};
}

ServerResponse Status(const AdminRoutes& routes, const ServerRequest& request) {
  const bool json = request.Header("Accept").find("application/json") != std::string_view::npos;
  if (json || routes.status_page.empty()) return {.body = routes.status_text()};
  return {.content_type = "text/html; charset=utf-8",
          .body = std::string(routes.status_page),
          // The page loads nothing but its own figures.
          .headers = {{"Content-Security-Policy",
                       "default-src 'none'; connect-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"},
                      {"Cache-Control", "no-store"}}};
}

}  // namespace

ServerResponse AnswerAdmin(const AdminRoutes& routes, const ServerRequest& request, bool probes_only) {
  if (request.method != "GET" && request.method != "HEAD") {
    return {.status = 405, .content_type = "text/plain", .body = "only GET is served here\n"};
  }
  if (request.path == routes.health_path) return Probe(true);
  if (request.path == routes.ready_path) return Probe(routes.ready());
  if (request.path == "/metrics" && !probes_only) {
    return {.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = routes.metrics_text()};
  }
  if (request.path == "/status" && routes.status_text && !probes_only) return Status(routes, request);
  if (probes_only) {
    return {.status = 404,
            .content_type = "text/plain",
            .body = "this is the gRPC port; over HTTP/1.1 it answers " + routes.health_path + " and " +
                    routes.ready_path + "\n"};
  }
  return {.status = 404,
          .content_type = "text/plain",
          .body = "known are " + routes.health_path + ", " + routes.ready_path +
                  (routes.status_text ? ", /status" : "") + " and /metrics\n"};
}

}  // namespace sidecar
