#include "app/online_check.h"

#include <algorithm>
#include <future>
#include <memory>
#include <thread>

#include "absl/time/time.h"
#include "adapters/clock/system_clock.h"
#include "adapters/clock/system_random.h"
#include "adapters/feed/graphql_feed.h"
#include "adapters/http/cpprest_transport.h"
#include "adapters/json/json.h"
#include "adapters/net/asio_timers.h"
#include "adapters/net/io_thread.h"
#include "adapters/system/limits.h"
#include "adapters/system/process_figures.h"
#include "adapters/upstream/startup_check.h"
#include "adapters/websocket/beast_connector.h"
#include "app/configuration.h"
#include "app/redis_wiring.h"
#include "app/version.h"
#include "text/text.h"

namespace sidecar {
namespace {

using Verdict = OnlineFinding::Verdict;

constexpr Millis kEach{5'000};
constexpr Millis kSkewMax{30'000};

constexpr std::string_view kReach =
    "check the address, DNS, egress rules and the proxy (HTTPS_PROXY, NO_PROXY, EXTRA_CA_FILE)";
constexpr std::string_view kKey =
    "put the server API key of this environment into SERVER_API_KEY or SERVER_API_KEY_FILE";

class NobodyListens : public ChangeSink {
  void OnLive() override {}
  void OnLost() override {}
  void OnPush(Push) override {}
};

/// What the checks work with. Never destroyed: what did not answer may still be under way.
class OnlineChecks {
 public:
  explicit OnlineChecks(const Config& config)
      : config_(config),
        io_("sidecar-io"),
        timers_(io_.context()),
        identity_(ProcessIdentity::OfThisProcess(kVersion)),
        transport_(timers_, {.proxy = {config.https_proxy, config.http_proxy, config.no_proxy},
                             .extra_ca_file = config.extra_ca_file,
                             .library_timeout = kEach + Millis(1'000)}),
        http_(
            transport_, identity_, [key = config.server_api_key.value] { return key; }, clock_, metrics_),
        graphql_(http_, config.api_url),
        connector_(io_.context(), {.proxy = {config.https_proxy, config.http_proxy, config.no_proxy},
                                   .extra_ca_file = config.extra_ca_file,
                                   .user_agent = StrCat("stigg-sidecar/", kVersion)}) {}

  std::vector<OnlineFinding> Run() {
    if (config_.offline) {
      Skip("Upstream", "OFFLINE=1");
    } else {
      CheckEdge();
      CheckTarget("GraphQL API", config_.api_url, "");
      CheckWebSocket();
      CheckClock();
    }
    CheckRedis();
    CheckMemory();
    CheckDescriptors();
    return std::move(findings_);
  }

 private:
  void Ok(std::string what, std::string seen) {
    findings_.push_back({.what = std::move(what), .verdict = Verdict::kOk, .seen = std::move(seen), .fix = ""});
  }
  void Skip(std::string what, std::string seen) {
    findings_.push_back({.what = std::move(what), .verdict = Verdict::kSkipped, .seen = std::move(seen), .fix = ""});
  }
  void Fail(std::string what, std::string seen, std::string_view fix) {
    findings_.push_back(
        {.what = std::move(what), .verdict = Verdict::kFailed, .seen = std::move(seen), .fix = std::string(fix)});
  }

  void CheckEdge() {
    if (!config_.edge_enabled) return Skip("Edge API", "EDGE_ENABLED=0");
    CheckTarget("Edge API", config_.edge_api_url, config_.edge_api_url);
  }

  /// `edge_url`: empty for GraphQL. Both check the key too.
  void CheckTarget(const std::string& what, const std::string& url, const std::string& edge_url) {
    auto answered = std::make_shared<std::promise<UpstreamResult<Json>>>();
    const MonoTime began = clock_.Now();
    CheckApiKey(http_, graphql_, edge_url, began + kEach,
                [answered](UpstreamResult<Json> result) { answered->set_value(std::move(result)); });
    const UpstreamResult<Json> result = answered->get_future().get();
    const std::string took = StrCat(url, " answered in ", (clock_.Now() - began).count(), " ms");
    if (result.ok()) return Ok(what, StrCat(took, ", the key is accepted"));
    const UpstreamFailure& failure = result.failure();
    if (failure.invalid_key) return Fail(what, StrCat(took, ", and rejects the key"), kKey);
    Fail(what, StrCat(url, ": ", Message(failure.status)), kReach);
  }

  void CheckWebSocket() {
    if (!config_.ws_enabled) return Skip("WebSocket", "WS_ENABLED=0");
    auto* const feed = new GraphqlFeed(
        connector_, config_.ws_url, identity_, [key = config_.server_api_key.value] { return key; },
        GenerationSetting::kAuto, FeedTools{clock_, timers_, random_, metrics_});
    const MonoTime began = clock_.Now();
    feed->Start(nobody_);
    Await([&] { return feed->status().connected() || !feed->status().last_error.empty(); });
    const FeedStatus status = feed->status();
    const Millis took = clock_.Now() - began;
    auto stopped = std::make_shared<std::promise<void>>();
    feed->Stop([stopped] { stopped->set_value(); });
    stopped->get_future().wait();
    if (status.connected()) return Ok("WebSocket", StrCat(config_.ws_url, " live in ", took.count(), " ms"));
    const bool key =
        status.reconnects[static_cast<size_t>(FeedEndCause::kInvalidKey)] > 0 || Contains(status.last_error, "API key");
    Fail("WebSocket",
         StrCat(config_.ws_url, ": ", status.last_error.empty() ? "no answer within 5 s" : status.last_error),
         key ? kKey : "check that proxies and balancers on the way let WebSockets through; or set WS_ENABLED=0");
  }

  void CheckClock() {
    auto answered = std::make_shared<std::promise<HttpResult>>();
    transport_.Send({.method = "GET", .url = config_.api_url + "/"}, clock_.Now() + kEach,
                    [answered](HttpResult result) { answered->set_value(std::move(result)); });
    const HttpResult result = answered->get_future().get();
    const std::string* const date = result.response.Header("Date");
    absl::Time theirs;
    if (date == nullptr ||
        !absl::ParseTime("%a, %d %b %Y %H:%M:%S GMT", {date->data(), date->size()}, &theirs, nullptr)) {
      return Skip("Clock", "upstream did not say what time it is");
    }
    const Millis skew(ToEpochMs(clock_.WallNow()) - absl::ToUnixMillis(theirs));
    const std::string seen = StrCat(std::abs(skew.count()) / 1000, " s ", skew.count() < 0 ? "behind" : "ahead of",
                                    " upstream, to the second");
    if (std::abs(skew.count()) <= kSkewMax.count()) return Ok("Clock", seen);
    Fail("Clock", seen, "set this machine's clock (NTP): usage periods end by it");
  }

  void CheckRedis() {
    if (config_.redis.environment_prefix.empty()) return Skip("Redis", "REDIS_ENVIRONMENT_PREFIX is not set");
    auto* const wiring = new RedisWiring(config_, {clock_, random_, metrics_});  // never destroyed, see RedisWiring
    const std::string where = config_.redis.sentinels.empty()
                                  ? StrCat(config_.redis.host, ":", config_.redis.port)
                                  : StrCat("master ", config_.redis.master_name, " of REDIS_SENTINELS");
    const absl::Status started = wiring->Start({.intake = nobody_, .changed = [](EntityKeyView) {}, .feed = nullptr});
    if (!started.ok())
      return Fail("Redis", std::string(Message(started)), "point REDIS_HOST at a Redis 6 or newer that is no Cluster");
    Await([&] { return wiring->up() || !wiring->status().last_error.empty(); });
    if (!wiring->up()) {
      const std::string why = wiring->status().last_error;
      return Fail(
          "Redis", StrCat(where, ": ", why.empty() ? "no answer within 5 s" : why),
          "check REDIS_HOST, REDIS_PORT, REDIS_TLS, REDIS_USERNAME, REDIS_PASSWORD and the user's ACL (docs/redis.md)");
    }
    auto answered = std::make_shared<std::promise<absl::StatusOr<bool>>>();
    wiring->LookForKeys(kEach, [answered](absl::StatusOr<bool> found) { answered->set_value(std::move(found)); });
    const absl::StatusOr<bool> used = answered->get_future().get();
    if (!used.ok())
      return Fail("Redis", StrCat(where, ": ", Message(used.status())), "check the user's ACL (docs/redis.md)");
    Ok("Redis", StrCat(where, ", ", *used ? "the prefix is in use: records are shared" : "no key has the prefix yet"));
  }

  void CheckMemory() {
    const MemoryLimit memory = FindMemoryLimit("");
    const CacheLimit cache = CacheLimitOf(config_);
    const std::string seen =
        StrCat("cache ", cache.bytes >> 20, " MiB of ", memory.bytes >> 20, " MiB (", memory.source, ")");
    // The process needs 40 MiB beside it.
    if (cache.bytes + (40 << 20) <= memory.bytes) return Ok("Memory", seen);
    Fail("Memory", seen, "lower CACHE_MAX_SIZE_BYTES, or raise the memory limit");
  }

  void CheckDescriptors() {
    const uint64_t limit = RaiseDescriptorLimit();
    const std::string seen = StrCat(limit, " file descriptors");
    constexpr uint64_t kEnough = 1024;
    if (limit >= kEnough) return Ok("Descriptors", seen);
    Fail("Descriptors", seen, "raise the limit (ulimit -n, LimitNOFILE): every connection takes one");
  }

  template <typename Condition>
  void Await(Condition condition) {
    constexpr Millis kLookAgain{10};
    const MonoTime until = clock_.Now() + kEach;
    while (!condition() && clock_.Now() < until) std::this_thread::sleep_for(kLookAgain);
  }

  const Config config_;
  SystemClock clock_;
  SystemRandom random_;
  Metrics metrics_;
  NobodyListens nobody_;
  IoThread io_;
  AsioTimers timers_;
  const ProcessIdentity identity_;
  CpprestTransport transport_;
  UpstreamHttp http_;
  GraphqlClient graphql_;
  BeastConnector connector_;
  std::vector<OnlineFinding> findings_;
};

std::string_view VerdictText(Verdict verdict) {
  switch (verdict) {
    case Verdict::kOk:
      return "ok";
    case Verdict::kSkipped:
      return "skipped";
    case Verdict::kFailed:
      break;
  }
  return "FAILED";
}

}  // namespace

std::vector<OnlineFinding> CheckOnline(const Config& config) { return (new OnlineChecks(config))->Run(); }

std::string FindingsText(const std::vector<OnlineFinding>& findings) {
  std::string out;
  for (const OnlineFinding& each : findings) {
    StrAppend(&out, fmt::format("{:<8} {:<12} {}\n", VerdictText(each.verdict), each.what, each.seen));
    if (!each.fix.empty()) StrAppend(&out, fmt::format("{:<21} fix: {}\n", "", each.fix));
  }
  return out;
}

std::string FindingsJson(const std::vector<OnlineFinding>& findings) {
  Json out = Json::array();
  for (const OnlineFinding& each : findings) {
    Json row = {{"check", each.what}, {"verdict", ToLower(VerdictText(each.verdict))}, {"seen", each.seen}};
    if (!each.fix.empty()) row["fix"] = each.fix;
    out.push_back(std::move(row));
  }
  return DumpIndented(out);
}

}  // namespace sidecar
