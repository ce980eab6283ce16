// The part of the cloud's API that `dev` plays: Edge REST and GraphQL, both generations, over
// a World. Requests in, responses out; no sockets.
#pragma once

#include <atomic>
#include <string>

#include "adapters/http_server/http_server.h"
#include "adapters/json/json.h"
#include "adapters/world/world.h"

namespace sidecar::dev {

/// Thread-safe.
class CloudApi {
 public:
  explicit CloudApi(World& world) : world_(world) {}

  ServerResponse Edge(const ServerRequest& request);
  ServerResponse Graphql(const ServerRequest& request);

 private:
  Json Execute(const std::string& operation, const Json& variables);
  Json ReportUsage(const Json& usages, bool bulk);

  World& world_;
};

}  // namespace sidecar::dev
