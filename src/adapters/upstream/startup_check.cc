#include "adapters/upstream/startup_check.h"

#include <utility>

namespace sidecar {

void CheckApiKey(UpstreamHttp& http, GraphqlClient& graphql, const std::string& edge_url, MonoTime deadline,
                 absl::AnyInvocable<void(UpstreamResult<Json>) &&> done) {
  if (edge_url.empty()) {
    graphql.Query(GetSdkConfigurationOperation(), Json::object(), deadline, std::move(done));
  } else {
    http.GetEdge(edge_url + "/v1/config/server-sdk-configuration.json", deadline, std::move(done));
  }
}

}  // namespace sidecar
