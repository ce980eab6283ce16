#include "app/cloud_upstream.h"

#include <algorithm>
#include <utility>

#include "adapters/upstream/startup_check.h"
#include "app/version.h"
#include "text/text.h"

namespace sidecar {
namespace {

/// Requests under way at once, and waiting for that. Reads are bounded by the resolver.
constexpr size_t kWritesUnderWayMax = 64;
constexpr size_t kReloadsUnderWayMax = 16;
constexpr size_t kQueuedMax = 1'000;

constexpr Millis kBreakerProbeTimeout{5'000};

/// By when the HTTP library must have let go of an exchange that our own deadline has ended.
constexpr Millis kAfterDeadlines{5'000};

GenerationSetting ToSetting(UpstreamApi api) {
  switch (api) {
    case UpstreamApi::kV1:
      return GenerationSetting::kV1;
    case UpstreamApi::kV2:
      return GenerationSetting::kV2;
    case UpstreamApi::kAuto:
      break;
  }
  return GenerationSetting::kAuto;
}

RetryTools RetryToolsOf(const UpstreamTools& tools) { return {tools.clock, tools.timers, tools.random}; }

}  // namespace

CloudUpstream::CloudUpstream(const Config& config, const UpstreamTools& tools)
    : tools_(tools),
      identity_(ProcessIdentity::OfThisProcess(kVersion)),
      key_(config.server_api_key, tools.clock, tools.timers, [this] { KeyChanged(); }),
      key_source_([this] { return key_.value(); }),
      prober_(tools.clock, tools.timers, tools.metrics,
              [this, edge_url = config.edge_enabled ? config.edge_api_url : "",
               timeout = config.entitlements_timeout](KeyProber::CheckDone done) {
                CheckApiKey(read_http_, read_graphql_, edge_url, tools_.clock.Now() + timeout,
                            [done = std::move(done)](const UpstreamResult<Json>& result) mutable {
                              if (result.ok()) return std::move(done)(absl::OkStatus(), false);
                              std::move(done)(result.failure().status, result.failure().invalid_key);
                            });
              }),
      transport_(tools.timers,
                 {.proxy = {config.https_proxy, config.http_proxy, config.no_proxy},
                  .extra_ca_file = config.extra_ca_file,
                  .library_timeout = std::max(config.entitlements_timeout, config.report_timeout) + kAfterDeadlines}),
      write_transport_(transport_, tools.timers, kWritesUnderWayMax, kQueuedMax),
      reload_transport_(transport_, tools.timers, kReloadsUnderWayMax, kQueuedMax),
      read_http_(
          transport_, identity_, key_source_, tools.clock, tools.metrics, [this] { prober_.NoteRejected(); },
          tools.tracer),
      write_http_(
          write_transport_, identity_, key_source_, tools.clock, tools.metrics, [this] { prober_.NoteRejected(); },
          tools.tracer),
      reload_http_(
          reload_transport_, identity_, key_source_, tools.clock, tools.metrics, [this] { prober_.NoteRejected(); },
          tools.tracer),
      read_graphql_(read_http_, config.api_url),
      write_graphql_(write_http_, config.api_url),
      reload_graphql_(reload_http_, config.api_url),
      edge_(read_http_, config.edge_api_url, ToSetting(config.upstream_api), RetryToolsOf(tools), RetryPolicy{},
            tools.metrics),
      graphql_(read_graphql_, ToSetting(config.upstream_api), RetryToolsOf(tools), RetryPolicy{}, tools.metrics),
      reload_(reload_graphql_, ToSetting(config.upstream_api), RetryToolsOf(tools), RetryPolicy{}, tools.metrics),
      guarded_edge_(edge_, tools.clock, tools.timers, kBreakerProbeTimeout, {}),
      guarded_graphql_(graphql_, tools.clock, tools.timers, kBreakerProbeTimeout, {}),
      edge_then_graphql_(guarded_edge_, guarded_graphql_, tools.clock),
      sink_(write_graphql_, ToSetting(config.upstream_api), RetryToolsOf(tools), RetryPolicy{}, tools.metrics),
      connector_(tools.io, {.proxy = {config.https_proxy, config.http_proxy, config.no_proxy},
                            .extra_ca_file = config.extra_ca_file,
                            .user_agent = StrCat("stigg-sidecar/", kVersion)}) {
  if (!config.edge_enabled) {
    source_ = &guarded_graphql_;
  } else if (config.edge_fallback_to_graphql) {
    source_ = &edge_then_graphql_;
  } else {
    source_ = &guarded_edge_;
  }
  if (config.ws_enabled) {
    feed_ =
        std::make_unique<GraphqlFeed>(connector_, config.ws_url, identity_, key_source_, ToSetting(config.upstream_api),
                                      FeedTools{tools.clock, tools.timers, tools.random, tools.metrics});
  }
}

void CloudUpstream::KeyChanged() {
  prober_.KeyChanged();
  if (feed_ != nullptr) feed_->KeyChanged();
}

UpstreamStatus CloudUpstream::status() const {
  UpstreamStatus status;
  status.edge_breaker = guarded_edge_.breaker();
  status.graphql_breaker = guarded_graphql_.breaker();
  if (feed_ != nullptr) status.feed = feed_->status();
  return status;
}

}  // namespace sidecar
