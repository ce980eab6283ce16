// stigg-sidecar cache-service: keeps Redis current for sidecars that run with WS_ENABLED=0. The
// same writer as in the sidecar, as a process of its own; several may run, one writes.
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdio>
#include <future>
#include <memory>

#include "adapters/clock/system_clock.h"
#include "adapters/clock/system_random.h"
#include "adapters/http/cpprest_transport.h"
#include "adapters/http_server/http_server.h"
#include "adapters/log/logging.h"
#include "adapters/net/asio_timers.h"
#include "adapters/net/io_thread.h"
#include "adapters/system/files.h"
#include "app/cloud_upstream.h"
#include "app/configuration.h"
#include "app/exit_codes.h"
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
        server_(
            io_.context(),
            [this](const ServerRequest& request, Respond respond) { std::move(respond)(Answer(request)); },
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
    auto stopped = std::make_shared<std::promise<void>>();
    redis_.Stop([stopped] { stopped->set_value(); });
    constexpr std::chrono::seconds kPatience{2};
    stopped->get_future().wait_for(kPatience);
  }

  IoThread& io() { return io_; }

 private:
  ServerResponse Answer(const ServerRequest& request) const {
    if (request.method != "GET" && request.method != "HEAD") {
      return {.status = 405, .content_type = "text/plain", .body = "only GET is served here\n"};
    }
    const auto probe = [](bool up) {
      return ServerResponse{.status = up ? 200 : 503, .body = up ? R"({"status":"UP"})" : R"({"status":"DOWN"})"};
    };
    if (request.path == config_.health_path) return probe(true);
    // Redis is there, and this process or another keeps it current.
    if (request.path == config_.ready_path) return probe(redis_.up() && redis_.maintained());
    if (request.path == "/status") {
      return {.body = StrCat(R"({"redis":")", redis_.up() ? "up" : "down", R"(","leader":)", redis_.leads(),
                             R"(,"maintained":)", redis_.maintained(), R"(,"feed":")", FeedState(), "\"}")};
    }
    if (request.path == "/metrics") {
      return {.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = MetricsText()};
    }
    return {.status = 404,
            .content_type = "text/plain",
            .body = StrCat("known are ", config_.health_path, ", ", config_.ready_path, ", /status and /metrics\n")};
  }

  bool FeedLive() const {
    const std::optional<FeedStatus> feed = upstream_.status().feed;
    return feed.has_value() && feed->state == FeedStatus::State::kLive;
  }
  std::string_view FeedState() const { return FeedLive() ? "live" : redis_.leads() ? "connecting" : "standby"; }

  std::string MetricsText() const {
    std::string text;
    const auto series = [&](std::string_view name, std::string_view type, std::string_view help, uint64_t value) {
      StrAppend(&text, "# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n", name, " ", value, "\n");
    };
    series("persistent_cache_redis_up", "gauge", "1: Redis is connected and answers in time.", redis_.up() ? 1 : 0);
    series("persistent_cache_leader", "gauge", "1: this process writes.", redis_.leads() ? 1 : 0);
    series("persistent_cache_feed_live", "gauge", "1: the WebSocket of this process is live.", FeedLive() ? 1 : 0);
    series("persistent_cache_writes_total", "counter", "Changes that were written.", metrics_.redis_writes.value());
    series("persistent_cache_skipped_writes_total", "counter",
           "Changes that were older than what is there, or of customers that are not there.",
           metrics_.redis_unwritten.value());
    series("persistent_cache_failed_writes_total", "counter", "Changes that could not be written.",
           metrics_.redis_failed_writes.value());
    series("persistent_cache_malformed_messages_total", "counter", "Messages of upstream that could not be used.",
           metrics_.malformed_responses.value());
    series("persistent_cache_redis_errors_total", "counter", "Redis commands that failed, and lost connections.",
           metrics_.redis_client_errors.value());
    return text;
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
  StartLogging(loaded.config.log_level);
  for (const std::string& warning : loaded.warnings) spdlog::warn("{}", warning);
  for (const std::string& line : EffectiveConfiguration(loaded)) spdlog::info("configuration: {}", line);

  auto* const service = new Service(loaded.config);  // never destroyed, see Service
  Signals signals(service->io().context());
  const auto end = [](int code) {
    StopLogging();
    std::fflush(nullptr);
    _exit(code);
  };
  if (absl::Status status = service->Start(); !status.ok()) {
    std::fprintf(stderr, "stigg-sidecar: %s\n", std::string(status.message()).c_str());
    end(absl::IsInvalidArgument(status) ? kExitConfig : kExitFailure);
  }
  std::printf("stigg-sidecar %s: cache service\nSidecar is ready\n", std::string(kVersion).c_str());
  std::fflush(stdout);
  signals.Wait();
  service->Stop();
  end(kExitOk);
  return kExitOk;
}

}  // namespace sidecar
