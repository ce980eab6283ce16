#include "adapters/upstream/graphql_client.h"

#include <utility>

namespace sidecar {

void GraphqlClient::Execute(const GraphqlOperation& operation, const Json& variables, bool once, MonoTime deadline,
                            UpstreamHttp::Done done) {
  // Members in the order of docs/protocol.md section 2.1.
  Json body = Json::object();
  body["operationName"] = operation.name;
  body["variables"] = variables;
  body["query"] = operation.document;
  http_.PostGraphql(url_, operation.name, Dump(body), once, deadline, std::move(done));
}

}  // namespace sidecar
