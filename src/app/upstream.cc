#include "app/upstream.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "adapters/http/bounded_transport.h"
#include "adapters/http/cpprest_transport.h"
#include "adapters/upstream/edge_source.h"
#include "adapters/upstream/fallback_source.h"
#include "adapters/upstream/graphql_source.h"
#include "adapters/upstream/graphql_usage_sink.h"
#include "adapters/upstream/startup_check.h"
#include "adapters/world/world_source.h"
#include "app/version.h"
#include "dev/dev_upstream.h"
#include "text/text.h"

namespace sidecar {
namespace {

/// Writes under way at once, and waiting for that: reads are bounded by the resolver.
constexpr size_t kWritesUnderWayMax = 64;
constexpr size_t kWritesQueuedMax = 1'000;

/// A rejected key is asked about again after this time, and when its file changes.
constexpr Millis kKeyProbeEvery{15'000};

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

class CloudUpstream : public Upstream {
 public:
  CloudUpstream(const Config& config, const UpstreamTools& tools)
      : tools_(tools),
        check_edge_url_(config.edge_enabled ? config.edge_api_url : ""),
        check_timeout_(config.entitlements_timeout),
        key_(config.server_api_key, tools.clock, tools.timers, [this] { CheckKey([] {}); }),
        transport_(tools.timers, {.proxy = {config.https_proxy, config.http_proxy, config.no_proxy},
                                  .extra_ca_file = config.extra_ca_file}),
        write_transport_(transport_, tools.clock, kWritesUnderWayMax, kWritesQueuedMax),
        identity_(ProcessIdentity::OfThisProcess(kVersion)),
        read_http_(
            transport_, identity_, [this] { return key_.value(); }, tools.metrics),
        write_http_(
            write_transport_, identity_, [this] { return key_.value(); }, tools.metrics),
        read_graphql_(read_http_, config.api_url),
        write_graphql_(write_http_, config.api_url),
        retry_tools_{tools.clock, tools.timers, tools.random},
        edge_(read_http_, config.edge_api_url, ToSetting(config.upstream_api), retry_tools_, RetryPolicy{},
              tools.metrics),
        graphql_(read_graphql_, ToSetting(config.upstream_api), retry_tools_, RetryPolicy{}, tools.metrics),
        edge_then_graphql_(edge_, graphql_, tools.clock),
        sink_(write_graphql_, ToSetting(config.upstream_api), retry_tools_, RetryPolicy{}, tools.metrics) {
    if (!config.edge_enabled) {
      source_ = &graphql_;
    } else if (config.edge_fallback_to_graphql) {
      source_ = &edge_then_graphql_;
    } else {
      source_ = &edge_;
    }
  }

  EntitlementSource& source() override { return *source_; }
  EntitlementSource& reload_source() override { return graphql_; }
  UsageSink& sink() override { return sink_; }
  void FirstAttempt(absl::AnyInvocable<void() &&> ended) override { CheckKey(std::move(ended)); }

 private:
  void CheckKey(absl::AnyInvocable<void() &&> ended) {
    CheckApiKey(read_http_, read_graphql_, check_edge_url_, tools_.clock.Now() + check_timeout_,
                [this, ended = std::move(ended)](UpstreamResult<Json> result) mutable {
                  NoteKey(result);
                  std::move(ended)();
                });
  }

  void NoteKey(const UpstreamResult<Json>& result) {
    if (result.ok()) {
      if (failed_.exchange(false)) spdlog::warn("upstream accepts the API key");
      return;
    }
    failed_ = true;
    tools_.metrics.initialization_errors.Add();
    if (!result.failure().invalid_key) {
      spdlog::warn("upstream cannot be reached ({}); serving from memory and fallbacks meanwhile",
                   Message(result.failure().status));
      return;
    }
    spdlog::error("upstream rejects the API key ({}): check SERVER_API_KEY; asking again in {} s",
                  Message(result.failure().status), kKeyProbeEvery.count() / 1000);
    tools_.timers.At(tools_.clock.Now() + kKeyProbeEvery, [this] { CheckKey([] {}); });
  }

  const UpstreamTools tools_;
  const std::string check_edge_url_;
  const Millis check_timeout_;
  std::atomic<bool> failed_{false};
  ApiKey key_;
  CpprestTransport transport_;
  BoundedTransport write_transport_;
  const ProcessIdentity identity_;
  UpstreamHttp read_http_;
  UpstreamHttp write_http_;
  GraphqlClient read_graphql_;
  GraphqlClient write_graphql_;
  const RetryTools retry_tools_;
  EdgeSource edge_;
  GraphqlSource graphql_;
  FallbackSource edge_then_graphql_;
  GraphqlUsageSink sink_;
  EntitlementSource* source_ = nullptr;
};

class WorldUpstream : public Upstream {
 public:
  WorldUpstream(WorldData data, Clock& clock) : world_(std::move(data), clock), source_(world_) {}

  EntitlementSource& source() override { return source_; }
  EntitlementSource& reload_source() override { return source_; }
  UsageSink& sink() override { return source_; }
  void FirstAttempt(absl::AnyInvocable<void() &&> ended) override { std::move(ended)(); }

 private:
  World world_;
  WorldSource source_;
};

class OfflineUpstream : public Upstream {
 public:
  EntitlementSource& source() override { return source_; }
  EntitlementSource& reload_source() override { return source_; }
  UsageSink& sink() override { return source_; }
  void FirstAttempt(absl::AnyInvocable<void() &&> ended) override { std::move(ended)(); }

 private:
  OfflineSource source_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Upstream>> MakeUpstream(const Config& config, const UpstreamTools& tools) {
  if (!config.offline) return std::make_unique<CloudUpstream>(config, tools);
  if (config.offline_data_file.empty()) return std::make_unique<OfflineUpstream>();
  absl::StatusOr<WorldData> data = dev::LoadWorld(config.offline_data_file);
  if (!data.ok()) return InvalidArgument("OFFLINE_DATA_FILE: ", Message(data.status()));
  return std::make_unique<WorldUpstream>(*std::move(data), tools.clock);
}

}  // namespace sidecar
