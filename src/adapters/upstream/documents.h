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

// Subscriptions (docs/protocol.md section 3.2). None takes variables.
GraphqlOperation OnEntitlementsUpdatedOperation(Generation generation);
GraphqlOperation OnUsageUpdatedOperation(Generation generation);
GraphqlOperation OnPackagePublishedOperation();
/// V1 only: in V2 a balance arrives as usage of a credit.
GraphqlOperation OnCreditBalanceUpdatedOperation();

}  // namespace sidecar
