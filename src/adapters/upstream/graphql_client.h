#pragma once

#include <string>

#include "adapters/upstream/documents.h"
#include "adapters/upstream/upstream_http.h"

namespace sidecar {

/// Executes GraphQL operations over POST {API_URL}/graphql. Thread-safe.
/// Source: docs/protocol.md section 2.1.
class GraphqlClient {
 public:
  GraphqlClient(UpstreamHttp& http, std::string api_url) : http_(http), url_(std::move(api_url) + "/graphql") {}

  /// Calls `done` with the `data` member. An answer with errors, or without data, fails.
  void Query(const GraphqlOperation& operation, const Json& variables, MonoTime deadline, UpstreamHttp::Done done) {
    Execute(operation, variables, /*once=*/false, deadline, std::move(done));
  }

  /// The same for a mutation, which is sent once.
  void Mutate(const GraphqlOperation& operation, const Json& variables, MonoTime deadline, UpstreamHttp::Done done) {
    Execute(operation, variables, /*once=*/true, deadline, std::move(done));
  }

 private:
  void Execute(const GraphqlOperation& operation, const Json& variables, bool once, MonoTime deadline,
               UpstreamHttp::Done done);

  UpstreamHttp& http_;
  const std::string url_;
};

}  // namespace sidecar
