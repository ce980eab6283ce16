#pragma once

#include <string>

#include "adapters/upstream/graphql_client.h"
#include "ports/upstream_failure.h"

namespace sidecar {

/// Asks upstream once whether the key is good (docs/protocol.md section 1.6): through the
/// Edge, or through GraphQL when `edge_url` is empty. Only success matters.
void CheckApiKey(UpstreamHttp& http, GraphqlClient& graphql, const std::string& edge_url, MonoTime deadline,
                 absl::AnyInvocable<void(UpstreamResult<Json>) &&> done);

}  // namespace sidecar
