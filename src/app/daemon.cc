#include "app/daemon.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <bit>
#include <thread>

#include "adapters/prometheus/metrics_text.h"
#include "adapters/system/files.h"
#include "adapters/system/limits.h"
#include "adapters/system/process_figures.h"
#include "admin/status_page.h"
#include "app/configuration.h"
#include "app/process.h"
#include "app/status_json.h"
#include "app/upstream_series.h"
#include "app/version.h"
#include "core/hottest_keys.h"
#include "ids/new_id.h"
#include "service/encode.h"
#include "text/text.h"

namespace sidecar {
namespace {

/// Small caches get few shards: each has a table of its own.
size_t ShardsFor(size_t limit_bytes) {
  constexpr size_t kBytesPerShard = 1 << 20;
  return std::bit_floor(std::clamp<size_t>(limit_bytes / kBytesPerShard, 1, 64));
}

EntitlementCache::Options CacheOptions(const Config& config, std::string& source) {
  const CacheLimit limit = CacheLimitOf(config);
  source = limit.source;
  return {.limit_bytes = limit.bytes, .shards = ShardsFor(limit.bytes)};
}

FreshnessSettings Freshness(const Config& config) { return {.ttl = config.entitlements_ttl}; }

HttpServer::Limits ProbeLimits() { return {.body_bytes_max = 4 << 10, .connections_max = 256}; }

/// Descriptors that callers may take: a part is kept for upstream, Redis and files.
int DescriptorsForCallers() {
  constexpr uint64_t kReserve = 128;
  const uint64_t limit = RaiseDescriptorLimit();
  return static_cast<int>(limit > 2 * kReserve ? limit - kReserve : limit / 2);
}

/// A file that cannot be read lets nobody in: its token is one that nobody has.
std::string AdminToken(const std::string& path) {
  if (path.empty()) return "";
  const absl::StatusOr<std::string> text = ReadFile(path);
  const std::string token(text.ok() ? StripWhitespace(*text) : "");
  return token.empty() ? NewUuid() : token;
}

size_t QueueCount() {
  constexpr double kQueuesMax = 8;
  return static_cast<size_t>(std::clamp(FindCpuQuota("") / 2, 1.0, kQueuesMax));
}

}  // namespace

Daemon::Daemon(const Config& config, std::vector<std::string> configuration)
    : config_(config),
      configuration_(std::move(configuration)),
      recording_(RecordingWiring::Make(config, clock_)),
      definitions_([](const FeatureDefinition& feature) { return EncodeDefinition(feature); },
                   [](const CurrencyDefinition& currency) { return EncodeDefinition(currency); }),
      cache_(CacheOptions(config, cache_limit_source_), epochs_, definitions_),
      io_("sidecar-io"),
      timers_(io_.context()),
      door_(cache_, CoreClock(), CoreRandom(), cover_, Freshness(config)),
      admin_routes_{.health_path = config.health_path,
                    .ready_path = config.ready_path,
                    .ready = [this] { return readiness_.ready(); },
                    .metrics_text = [this] { return MetricsText(); },
                    .status_text = [this] { return StatusText(); },
                    .status_page = kStatusPage},
      admin_server_(
          io_.context(),
          [this](const ServerRequest& request, Respond respond) { AnswerHttp(request, std::move(respond)); },
          ProbeLimits()),
      probe_server_(
          io_.context(),
          [this](const ServerRequest& request, Respond respond) {
            std::move(respond)(AnswerAdmin(admin_routes_, request, /*probes_only=*/true));
          },
          ProbeLimits()),
      queues_(QueueCount()) {}

std::string Daemon::Describe() const {
  return StrCat("stigg-sidecar ", kVersion, ": cache limit ", cache_.limit_bytes() >> 20, " MiB (", cache_limit_source_,
                "), ", queues_, queues_ == 1 ? " queue" : " queues");
}

decltype(CustomerRoutes::Parts::heard) Daemon::AdminEffects() {
  if (recording_ == nullptr) return nullptr;
  return [this](CustomerRoutes::Parts::Effect effect, const EntityKey& key) { recording_->Heard(effect, key); };
}

std::function<std::string()> Daemon::ShadowText() {
  if (shadow_ == nullptr) return nullptr;
  return [this] { return ShadowSamples(*shadow_); };
}

void Daemon::AnswerHttp(const ServerRequest& request, Respond respond) const {
  if (customer_routes_ != nullptr && request.path.starts_with(CustomerRoutes::kPrefix)) {
    if (recording_ == nullptr) return customer_routes_->Answer(request, std::move(respond));
    return recording_->AsStep([&] { customer_routes_->Answer(request, std::move(respond)); });
  }
  std::move(respond)(AnswerAdmin(admin_routes_, request, /*probes_only=*/false));
}

std::string Daemon::StatusText() const {
  StatusParts parts{.config = config_,
                    .configuration = configuration_,
                    .metrics = metrics_,
                    .cache = cache_,
                    .upstream = upstream_ == nullptr ? UpstreamStatus{} : upstream_->status(),
                    .redis = std::nullopt,
                    .ready = readiness_.ready(),
                    .started_at = started_at_,
                    .now = clock_.WallNow()};
  if (redis_ != nullptr) {
    parts.redis = {.client = redis_->status(), .maintained = redis_->maintained(), .leads = redis_->leads()};
  }
  if (shadow_ != nullptr) parts.shadow = ShadowStatus(config_, shadow_->report());
  return StatusJson(parts);
}

std::string Daemon::MetricsText() const {
  std::vector<ExtraSeries> extra = SeriesOf(upstream_ == nullptr ? UpstreamStatus{} : upstream_->status());
  for (ExtraSeries& series : SeriesOf(ReadProcessFigures())) extra.push_back(std::move(series));
  if (tracing_ != nullptr) {
    const auto count = [](uint64_t value) { return static_cast<double>(value); };
    extra.push_back({.name = "sidecar_spans_total",
                     .help = "Spans that ended, by what became of them.",
                     .counter = true,
                     .label = "outcome",
                     .values = {{"exported", count(tracing_->exporter().exported())},
                                {"dropped", count(tracing_->exporter().dropped())}}});
  }
  if (shadow_ != nullptr) {
    for (ExtraSeries& series : SeriesOf(shadow_->report())) extra.push_back(std::move(series));
  }
  if (recording_ != nullptr) {
    extra.push_back({.name = "sidecar_recording_writing",
                     .help = "1 while RECORD_PATH is written; 0: it is full, or failed.",
                     .values = {{"", recording_->writing() ? 1.0 : 0.0}}});
    extra.push_back({.name = "sidecar_recording_bytes",
                     .help = "Size of the recording.",
                     .values = {{"", static_cast<double>(recording_->bytes())}}});
  }
  if (listeners_ != nullptr) {
    extra.push_back({.name = "sidecar_connections_refused_total",
                     .help = "Connections closed: descriptors were short, too many kept silent, one flooded.",
                     .counter = true,
                     .label = "reason",
                     .values = {{"descriptors", static_cast<double>(listeners_->refused())},
                                {"silent", static_cast<double>(listeners_->crowded_out())},
                                {"flood", static_cast<double>(front_->floods())}}});
  }
  RpcSeries rpc{.metrics = {}, .methods = kMethodNames};
  if (front_ != nullptr) rpc.metrics = front_->rpc_metrics();
  return sidecar::MetricsText(metrics_, cache_, std::string(kVersion), rpc, extra);
}

absl::Status Daemon::Start() {
  tracing_ = TraceWiring::Make(config_, clock_, timers_);
  Tracer* const tracer = tracing_ ? &tracing_->exporter() : nullptr;
  absl::StatusOr<std::unique_ptr<Upstream>> upstream =
      MakeUpstream(config_, {clock_, timers_, random_, metrics_, io_.context(), tracer});
  if (!upstream.ok()) return upstream.status();
  upstream_ = *std::move(upstream);
  redis_ = RedisWiring::Make(config_, {clock_, random_, metrics_});
  SharedStore* const shared = redis_ ? &redis_->store() : nullptr;
  if (recording_) recording_->Attach(*upstream_, timers_);
  Clock& clock = CoreClock();
  Timers& timers = recording_ ? recording_->timers() : timers_;
  UsageSink& sink = recording_ ? recording_->sink() : upstream_->sink();
  resolver_ = std::make_unique<EntitlementResolver>(
      cache_, door_, cover_, recording_ ? recording_->source() : upstream_->source(),
      recording_ ? recording_->reload_source() : upstream_->reload_source(), clock, timers, metrics_,
      ResolverSettings{.freshness = Freshness(config_),
                       .read_budget = config_.suspect_refresh_budget,
                       .fetch_timeout = config_.entitlements_timeout},
      shared);
  refresh_ = std::make_unique<BackgroundRefresh>(*resolver_, clock, timers, BackgroundRefreshSettings{});
  FeedIntake::Hottest hottest = [this](size_t most) { return HottestKeys(cache_, most); };
  if (recording_) hottest = recording_->Hottest(std::move(hottest));
  intake_ = std::make_unique<FeedIntake>(cover_, door_, *refresh_, clock, std::move(hottest));
  if (config_.usage_overlay) overlay_ = std::make_unique<UsageOverlay>(cache_, clock_, timers_, metrics_);
  auto spool =
      SpoolWiring::OpenOrServeWithout(config_, {upstream_->sink(), clock_, timers_, random_, metrics_, overlay_.get()},
                                      [this, shared](UsageReceipt receipt) {
                                        if (shared != nullptr) shared->Apply(receipt);
                                        if (recording_ == nullptr) return door_.Apply(std::move(receipt));
                                        recording_->Delivered(receipt, [&] { door_.Apply(receipt); });
                                      });
  if (!spool.ok()) return spool.status();
  spool_ = *std::move(spool);
  reporter_ = std::make_unique<UsageReporter>(sink, door_, spool_ ? &spool_->spool() : nullptr, shared, overlay_.get());
  handlers_ = MakeHandlers({.cache = cache_,
                            .resolver = *resolver_,
                            .cover = cover_,
                            .reporter = *reporter_,
                            .fallbacks = config_.entitlements_fallback,
                            .clock = clock,
                            .metrics = metrics_,
                            .settings = {.read_timeout = config_.entitlements_timeout,
                                         .report_timeout = config_.report_timeout,
                                         .offline = config_.offline && config_.offline_data_file.empty(),
                                         .spool_usage = config_.spool_usage},
                            .overlay = overlay_.get()});
  if (recording_) handlers_ = recording_->Wrap(std::move(handlers_));
  shadow_ = MakeShadow(config_, clock_);
  if (shadow_) handlers_ = shadow_->Wrap(std::move(handlers_));
  customer_routes_ =
      std::make_unique<CustomerRoutes>(CustomerRoutes::Parts{.cache = cache_,
                                                             .resolver = *resolver_,
                                                             .cover = cover_,
                                                             .fallbacks = config_.entitlements_fallback,
                                                             .clock = clock_,
                                                             .overlay = overlay_.get(),
                                                             .heard = AdminEffects(),
                                                             .shadow = ShadowText()},
                                       AdminGuard([path = config_.admin_token_file] { return AdminToken(path); }));
  snapshot_ = SnapshotWiring::Make(config_, {cache_, cover_, clock_, timers_, metrics_});
  const RestoredSnapshot restored = snapshot_ && !recording_ ? snapshot_->keeper().Restore() : RestoredSnapshot{};
  if (redis_) {
    const RedisWiring::Parts parts{*intake_, [this](EntityKeyView key) { resolver_->ChangedInShared(key); },
                                   upstream_->feed()};
    if (absl::Status status = redis_->Start(parts); !status.ok()) return status;
  }
  auto tls = TlsFiles::Load(config_.tls, {clock_, timers_, metrics_});
  if (!tls.ok()) return tls.status();
  tls_ = *std::move(tls);
  const FrontKind plaintext =
      config_.plaintext_front == PlaintextFront::kNghttp2 ? FrontKind::kNghttp2 : FrontKind::kGrpc;
  front_ = std::make_unique<Fronts>(Fronts::Parts{handlers_, health_, queues_, tracer}, plaintext);
  if (absl::Status status = front_->Start(tls_ ? &tls_->identity() : nullptr); !status.ok()) return status;
  if (absl::Status status = Listen(); !status.ok()) return status;
  readiness_.SetListening();
  if (restored.records > 0) readiness_.SetFirstAttemptEnded();
  if (tls_) tls_->Watch();
  if (snapshot_) snapshot_->keeper().Start();
  refresh_->Start(restored.hottest);
  timers_.At(clock_.Now() + config_.start_grace, [this] { readiness_.SetFirstAttemptEnded(); });
  StartFeed();
  upstream_->FirstAttempt([this] { readiness_.SetFirstAttemptEnded(); });
  return absl::OkStatus();
}

absl::Status Daemon::Listen() {
  listeners_ = std::make_unique<Listeners>(
      io_.context(), [this](int fd, std::string_view read) { front_->Serve(fd, read); },
      [this](boost::asio::ip::tcp::socket socket, std::string_view read) {
        // What arrives over HTTP/1.1 on a gRPC port is a probe; the HTTP port has no bytes
        // read ahead.
        (read.empty() ? admin_server_ : probe_server_).Serve(std::move(socket), read);
      },
      ListenerLimits{.descriptor_max = DescriptorsForCallers()});
  const std::string& address = config_.listen_address;
  const auto grpc = tls_ ? listeners_->ListenTls(address, config_.port, [this](int fd) { front_->ServeTls(fd); })
                         : listeners_->ListenGrpc(address, config_.port);
  if (!grpc.ok()) return InvalidArgument(Message(grpc.status()), ". Set PORT to a free port");
  if (config_.grpc_port != 0) {
    if (auto port = listeners_->ListenGrpc(address, config_.grpc_port); !port.ok()) {
      return InvalidArgument(Message(port.status()), ". Set GRPC_PORT to a free port, or to 0");
    }
  }
  if (!config_.grpc_socket.empty()) {
    if (absl::Status status = listeners_->ListenUnix(config_.grpc_socket); !status.ok()) {
      return InvalidArgument(Message(status), ". Set GRPC_SOCKET to a path that can be made");
    }
  }
  if (config_.http_port != 0) {
    auto port = listeners_->ListenHttp(address, config_.http_port);
    if (!port.ok() && config_.http_port_given) {
      return InvalidArgument(Message(port.status()), ". Set HTTP_PORT to a free port, or to 0");
    }
    if (!port.ok()) {
      spdlog::warn("{}: no probes and metrics over HTTP; set HTTP_PORT to a free port, or to 0",
                   Message(port.status()));
    }
  }
  return absl::OkStatus();
}

void Daemon::StartFeed() {
  // With Redis, one of all replicas holds the feed.
  if (!redis_ && upstream_->feed() != nullptr)
    upstream_->feed()->Start(recording_ ? recording_->FeedInto(*intake_) : *intake_);
}

void Daemon::StopFeed() {
  if (upstream_->feed() == nullptr) return;
  AwaitStop([this](absl::AnyInvocable<void() &&> done) {
    if (redis_) {
      redis_->Stop(std::move(done));
    } else {
      upstream_->feed()->Stop(std::move(done));
    }
  });
}

void Daemon::WaitForIdle(MonoTime until) {
  constexpr Millis kLookEvery{1};
  while (front_->running() > 0 && clock_.Now() < until) std::this_thread::sleep_for(kLookEvery);
}

void Daemon::Drain(Millis settle) {
  const MonoTime start = clock_.Now();
  const MonoTime deadline = start + config_.drain_timeout;
  readiness_.SetDraining();
  health_.Enter(HealthState::Phase::kDraining);
  std::this_thread::sleep_for(settle);
  listeners_->Close();
  WaitForIdle(std::min(start + std::max(settle, config_.drain_timeout / 2), deadline));
  health_.Enter(HealthState::Phase::kEnded);
  if (!front_->Shutdown(deadline)) spdlog::warn("calls were cut off by DRAIN_TIMEOUT_MS");
  spdlog::info("drained: {} calls reached a handler, {} of them are not answered", front_->handled(),
               front_->running());
  if (spool_) spool_->Drain(deadline);
  StopFeed();
  if (snapshot_) snapshot_->keeper().Stop(deadline);
  if (recording_) recording_->End(deadline);
  if (tracing_) AwaitStop([this](absl::AnyInvocable<void() &&> done) { tracing_->exporter().Flush(std::move(done)); });
}

}  // namespace sidecar
