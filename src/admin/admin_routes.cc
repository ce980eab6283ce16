#include "admin/admin_routes.h"

namespace sidecar {
namespace {

ServerResponse Probe(bool up) {
  // The exact bytes are part of the contract (design section 13).
  return {.status = up ? 200 : 503, .body = up ? R"({"status":"UP"})" : R"({"status":"DOWN"})"};
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
  if (request.path == "/status" && routes.status_text && !probes_only) return {.body = routes.status_text()};
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
