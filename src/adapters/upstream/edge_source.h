#pragma once

#include <memory>
#include <string>

#include "adapters/upstream/generation.h"
#include "adapters/upstream/retry.h"
#include "adapters/upstream/upstream_http.h"
#include "ports/entitlement_source.h"

namespace sidecar {

/// Entitlements from the Edge API (docs/protocol.md section 1). Retries network errors, 429
/// and 5xx inside the deadline.
class EdgeSource : public EntitlementSource {
 public:
  /// `edge_url` without trailing slash.
  EdgeSource(UpstreamHttp& http, std::string edge_url, GenerationSetting generation, const RetryTools& tools,
             const RetryPolicy& retries, Metrics& metrics);

  void Fetch(const EntityKey& key, MonoTime deadline, FetchDone done) override;

 private:
  void FetchOnce(const EntityKey& key, MonoTime deadline, FetchDone done);
  void FetchGeneration(Generation generation, const EntityKey& key, MonoTime deadline, FetchDone done);

  UpstreamHttp& http_;
  const std::string edge_url_;
  GenerationChoice generation_;
  const RetryTools tools_;
  const RetryPolicy retries_;
  Metrics& metrics_;
};

/// Path and query of an entitlement list, identifiers percent-encoded (section 1.1).
std::string EntitlementsPath(Generation generation, EntityKeyView key);

}  // namespace sidecar
