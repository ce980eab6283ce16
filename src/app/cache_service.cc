// stigg-sidecar cache-service: keeps Redis current for sidecars that run with WS_ENABLED=0. The
// same writer as in the sidecar, as a process of its own; several may run, one writes.
#include <cstdio>
#include <memory>

#include "adapters/clock/system_clock.h"
#include "adapters/clock/system_random.h"
#include "adapters/http/cpprest_transport.h"
#include "adapters/http_server/http_server.h"
#include "adapters/net/asio_timers.h"
#include "adapters/net/io_thread.h"
#include "adapters/prometheus/metrics_text.h"
#include "adapters/system/files.h"
#include "admin/admin_routes.h"
#include "app/cloud_upstream.h"
#include "app/configuration.h"
#include "app/exit_codes.h"
#include "app/process.h"
#include "app/redis_wiring.h"
#include "app/signals.h"
#include "app/verbs.h"
#include "app/version.h"
#include "front/listeners.h"
#include "text/text.h"

namespace sidecar {
namespace {

/// Memory of this process: there is none to keep current.
class NoMemory : public ChangeSink {
  void OnLive() override {}
  void OnLost() override {}
  void OnPush(Push) override {}
};

/// Everything that the process consists of. Never destroyed once it was started.
class Service {
 public:
  explicit Service(const Config& config)
      : config_(config),
        io_("sidecar-io"),
        timers_(io_.context()),
        upstream_(config, {clock_, timers_, random_, metrics_, io_.context()}),
        redis_(config, {clock_, random_, metrics_}),
        routes_{.health_path = config.health_path,
                .ready_path = config.ready_path,
                // Redis is there, and this process or another keeps it current.
                .ready = [this] { return redis_.up() && redis_.maintained(); },
                .metrics_text = [this] { return MetricsText(); },
                .status_text = [this] { return StatusText(); }},
        server_(
            io_.context(),
            [this](const ServerRequest& request, Respond respond) {
              std::move(respond)(AnswerAdmin(routes_, request, /*probes_only=*/false));
            },
            HttpServer::Limits{.body_bytes_max = 4 << 10, .connections_max = 256}) {}

  absl::Status Start() {
    listeners_ = std::make_unique<Listeners>(
        io_.context(), [](int, std::string_view) {},
        [this](boost::asio::ip::tcp::socket socket, std::string_view read) { server_.Serve(std::move(socket), read); });
    if (config_.http_port != 0) {
      if (auto port = listeners_->ListenHttp(config_.listen_address, config_.http_port); !port.ok()) {
        return InvalidArgument(Message(port.status()), ". Set HTTP_PORT to a free port, or to 0");
      }
    }
    return redis_.Start({.intake = no_memory_, .changed = [](EntityKeyView) {}, .feed = upstream_.feed()});
  }

  /// Gives the lead away, so that another takes it at once.
  void Stop() {
    AwaitStop([this](absl::AnyInvocable<void() &&> done) { redis_.Stop(std::move(done)); });
  }

  IoThread& io() { return io_; }

 private:
  std::string StatusText() const {
    return StrCat(R"({"redis":")", redis_.up() ? "up" : "down", R"(","leader":)", redis_.leads(), R"(,"maintained":)",
                  redis_.maintained(), R"(,"feed":")", FeedState(), "\"}");
  }

  bool FeedLive() const {
    const std::optional<FeedStatus> feed = upstream_.status().feed;
    return feed.has_value() && feed->state == FeedStatus::State::kLive;
  }
  std::string_view FeedState() const { return FeedLive() ? "live" : redis_.leads() ? "connecting" : "standby"; }

  std::string MetricsText() const {
    const auto gauge = [](const char* name, const char* help, bool on) {
      return ExtraSeries{.name = name, .help = help, .values = {{"", on ? 1 : 0}}};
    };
    const auto counter = [](const char* name, const char* help, const Counter& value) {
      return ExtraSeries{
          .name = name, .help = help, .counter = true, .values = {{"", static_cast<double>(value.value())}}};
    };
    return SeriesText({
        gauge("persistent_cache_redis_up", "1: Redis is connected and answers in time.", redis_.up()),
        gauge("persistent_cache_leader", "1: this process writes.", redis_.leads()),
        gauge("persistent_cache_feed_live", "1: the WebSocket of this process is live.", FeedLive()),
        counter("persistent_cache_writes_total", "Changes that were written.", metrics_.redis_writes),
        counter("persistent_cache_skipped_writes_total",
                "Changes that were older than what is there, or of customers that are not there.",
                metrics_.redis_unwritten),
        counter("persistent_cache_failed_writes_total", "Changes that could not be written.",
                metrics_.redis_failed_writes),
        counter("persistent_cache_malformed_messages_total", "Messages of upstream that could not be used.",
                metrics_.malformed_responses),
        counter("persistent_cache_redis_errors_total", "Redis commands that failed, and lost connections.",
                metrics_.redis_client_errors),
    });
  }

  const Config config_;
  SystemClock clock_;
  SystemRandom random_;
  Metrics metrics_;
  NoMemory no_memory_;
  IoThread io_;
  AsioTimers timers_;
  CloudUpstream upstream_;
  RedisWiring redis_;
  const AdminRoutes routes_;
  HttpServer server_;
  std::unique_ptr<Listeners> listeners_;
};

}  // namespace

int CacheService(const Environment& environment, const Arguments& arguments) {
  if (!arguments.empty()) {
    std::fputs("stigg-sidecar: cache-service takes no arguments; it is configured by environment variables\n", stderr);
    return kExitUsage;
  }
  Environment variables = environment;
  // The vendor's name for it, of its persistent-cache-service.
  if (const auto ttl = variables.find("KEYS_TTL_IN_SECS"); ttl != variables.end()) {
    variables.try_emplace("REDIS_KEYS_TTL_IN_SECS", ttl->second);
  }
  CpprestTransport::SizeThreadPool();
  LoadedConfig loaded = LoadWithFiles(variables, Purpose::kServe, ReadFile);
  if (loaded.config.redis.environment_prefix.empty()) {
    loaded.violations.emplace_back("REDIS_ENVIRONMENT_PREFIX: is not set; cache-service needs it");
  }
  if (loaded.config.offline) loaded.violations.emplace_back("OFFLINE: is on; cache-service needs upstream");
  if (!loaded.violations.empty()) return ReportViolations(loaded);
  loaded.config.ws_enabled = true;
  BeginProcess(loaded);

  auto* const service = new Service(loaded.config);  // never destroyed, see Service
  Signals signals(service->io().context());
  if (absl::Status status = service->Start(); !status.ok()) EndUnstarted(status);
  std::printf("stigg-sidecar %s: cache service\nSidecar is ready\n", std::string(kVersion).c_str());
  std::fflush(stdout);
  signals.Wait();
  service->Stop();
  EndProcess(kExitOk);
}

}  // namespace sidecar
