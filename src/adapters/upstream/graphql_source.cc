#include "adapters/upstream/graphql_source.h"

#include <utility>

#include "adapters/upstream/failure_mapping.h"
#include "adapters/upstream/list_decoder.h"

namespace sidecar {
namespace {

Json FetchVariables(const EntityKey& key) {
  Json query = {{"customerId", key.customer_id}};
  if (!key.resource_id.empty()) query["resourceId"] = key.resource_id;
  return {{"query", std::move(query)}};
}

}  // namespace

void GraphqlSource::Fetch(const EntityKey& key, MonoTime deadline, FetchDone done) {
  WithRetries<CustomerEntitlements>(
      tools_, retries_, deadline, [](const UpstreamFailure& failure) { return failure.transient; },
      [this, key, deadline](FetchDone attempt_done) { FetchOnce(key, deadline, std::move(attempt_done)); },
      std::move(done));
}

void GraphqlSource::FetchOnce(const EntityKey& key, MonoTime deadline, FetchDone done) {
  const Generation first = generation_.Preferred(tools_.clock.Now());
  const Generation second = first == Generation::kV2 ? Generation::kV1 : Generation::kV2;
  FetchGeneration(first, key, deadline,
                  [this, first, second, key, deadline,
                   done = std::move(done)](UpstreamResult<CustomerEntitlements> result) mutable {
                    if (result.ok() || !generation_.MaySwitch() || !IsDocumentRejected(result.failure())) {
                      if (result.ok()) generation_.Settle(first, tools_.clock.Now());
                      return std::move(done)(std::move(result));
                    }
                    FetchGeneration(
                        second, key, deadline,
                        [this, second, done = std::move(done)](UpstreamResult<CustomerEntitlements> other) mutable {
                          if (other.ok()) generation_.Settle(second, tools_.clock.Now());
                          std::move(done)(std::move(other));
                        });
                  });
}

void GraphqlSource::FetchGeneration(Generation generation, const EntityKey& key, MonoTime deadline, FetchDone done) {
  client_.Query(GetEntitlementsOperation(generation), FetchVariables(key), deadline,
                [this, generation, done = std::move(done)](UpstreamResult<Json> data) mutable {
                  if (!data.ok()) return std::move(done)(data.failure());
                  std::move(done)(DecodeList(data.value(), generation, metrics_));
                });
}

}  // namespace sidecar
