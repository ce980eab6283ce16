#pragma once

#include "adapters/upstream/generation.h"
#include "adapters/upstream/graphql_client.h"
#include "adapters/upstream/retry.h"
#include "ports/entitlement_source.h"

namespace sidecar {

/// Entitlements from the GraphQL API (docs/protocol.md section 2.2): for reloads, and for
/// every fetch when the Edge is switched off. Retries as EdgeSource does.
class GraphqlSource : public EntitlementSource {
 public:
  GraphqlSource(GraphqlClient& client, GenerationSetting generation, const RetryTools& tools,
                const RetryPolicy& retries, Metrics& metrics)
      : client_(client),
        generation_("GraphQL reads", generation),
        tools_(tools),
        retries_(retries),
        metrics_(metrics) {}

  void Fetch(const EntityKey& key, MonoTime deadline, FetchDone done) override;

 private:
  void FetchOnce(const EntityKey& key, MonoTime deadline, FetchDone done);
  void FetchGeneration(Generation generation, const EntityKey& key, MonoTime deadline, FetchDone done);

  GraphqlClient& client_;
  GenerationChoice generation_;
  const RetryTools tools_;
  const RetryPolicy retries_;
  Metrics& metrics_;
};

}  // namespace sidecar
