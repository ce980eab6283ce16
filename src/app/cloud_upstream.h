// The cloud as the daemon's upstream: transports, both protocol generations, breakers, the key.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "adapters/feed/graphql_feed.h"
#include "adapters/http/bounded_transport.h"
#include "adapters/http/cpprest_transport.h"
#include "adapters/upstream/edge_source.h"
#include "adapters/upstream/fallback_source.h"
#include "adapters/upstream/graphql_source.h"
#include "adapters/upstream/graphql_usage_sink.h"
#include "adapters/upstream/key_prober.h"
#include "adapters/websocket/beast_connector.h"
#include "app/upstream.h"
#include "core/guarded_source.h"

namespace sidecar {

/// Wiring only; each part is documented where it is. Never destroyed once it was used, as the
/// daemon is (docs/adr/0010).
class CloudUpstream : public Upstream {
 public:
  CloudUpstream(const Config& config, const UpstreamTools& tools);

  EntitlementSource& source() override { return *source_; }
  EntitlementSource& reload_source() override { return reload_; }
  UsageSink& sink() override { return sink_; }
  ChangeFeed* feed() override { return feed_.get(); }
  void FirstAttempt(absl::AnyInvocable<void() &&> ended) override { prober_.Start(std::move(ended)); }
  UpstreamStatus status() const override;

 private:
  void KeyChanged();

  const UpstreamTools tools_;
  const ProcessIdentity identity_;
  ApiKey key_;
  const ApiKeySource key_source_;
  KeyProber prober_;

  CpprestTransport transport_;
  BoundedTransport write_transport_;
  BoundedTransport reload_transport_;
  UpstreamHttp read_http_;
  UpstreamHttp write_http_;
  UpstreamHttp reload_http_;
  GraphqlClient read_graphql_;
  GraphqlClient write_graphql_;
  GraphqlClient reload_graphql_;

  EdgeSource edge_;
  GraphqlSource graphql_;
  GraphqlSource reload_;
  GuardedSource guarded_edge_;
  GuardedSource guarded_graphql_;
  FallbackSource edge_then_graphql_;
  EntitlementSource* source_ = nullptr;  // one of the three above
  GraphqlUsageSink sink_;

  BeastConnector connector_;
  std::unique_ptr<GraphqlFeed> feed_;  // nullptr: WS_ENABLED=0
};

}  // namespace sidecar
