// The GraphQL documents that we send, both generations. Validated against a real GraphQL
// implementation by tests/e2e. Source of fields and arguments: docs/protocol.md section 2.2.
#pragma once

#include <string_view>

#include "adapters/json/entitlements_codec.h"

namespace sidecar {

struct GraphqlOperation {
  std::string_view name;
  std::string_view document;
};

GraphqlOperation GetEntitlementsOperation(Generation generation);
GraphqlOperation ReportUsageOperation(Generation generation);
GraphqlOperation ReportUsageBulkOperation(Generation generation);
GraphqlOperation ReportEventOperation();
GraphqlOperation GetSdkConfigurationOperation();

}  // namespace sidecar
