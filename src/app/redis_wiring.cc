#include "app/redis_wiring.h"

#include <spdlog/spdlog.h>

#include <future>
#include <utility>

#include "adapters/system/files.h"
#include "text/text.h"

namespace sidecar {
namespace {

Millis LongestLife(const RedisConfig& config) {
  constexpr int64_t kDefaultSecs = 604'800;
  return Millis(1000 * (config.keys_ttl_secs > 0 ? config.keys_ttl_secs : kDefaultSecs));
}

/// A secret that is kept in a file may have been rotated.
std::string Current(const Secret& secret) {
  if (!secret.file.empty()) {
    if (const absl::StatusOr<std::string> text = ReadFile(secret.file); text.ok()) {
      return std::string(StripWhitespace(*text));
    }
  }
  return secret.value;
}

}  // namespace

std::unique_ptr<RedisWiring> RedisWiring::Make(const Config& config, const Tools& tools) {
  if (config.redis.environment_prefix.empty()) return nullptr;
  return std::make_unique<RedisWiring>(config, tools);
}

RedisWiring::RedisWiring(const Config& config, const Tools& tools)
    : config_(config.redis),
      tools_(tools),
      keys_(config.redis.environment_prefix),
      io_("sidecar-redis"),
      timers_(io_.context()),
      client_(
          "Redis", {io_.context(), tools.clock, timers_, tools.random, tools.metrics},
          [this] { return LinkSettings(/*tracks=*/true); }, &tools.metrics.redis_up, ClientSettings()),
      subscriber_(
          "Redis, second connection", {io_.context(), tools.clock, timers_, tools.random, tools.metrics},
          [this] { return LinkSettings(/*tracks=*/false); }, nullptr, ClientSettings()),
      locks_(client_, subscriber_, keys_, tools.clock, timers_, config.redis.timeout),
      writer_(client_, keys_, tools.clock, tools.metrics, [this](MonoTime at) { return store_.RedisTime(at); },
              {.keys_ttl_secs = config.redis.keys_ttl_secs, .update_only = config.redis.update_only}),
      store_(client_, writer_, locks_, tools.clock, tools.metrics,
             {.timeout = config.redis.timeout,
              .unknown_age = LongestLife(config.redis),
              .external_writer = config.redis.external_writer}),
      address_({config.redis.host, config.redis.port}) {}

RedisClientSettings RedisWiring::ClientSettings() const {
  RedisClientSettings settings;
  if (!config_.sentinels.empty()) {
    // Where a master is gone, the next one is told of within a second or two.
    settings.reconnect_max = Millis(1'000);
    settings.readonly_reconnect = Millis(500);
  }
  return settings;
}

RedisSentinel::Settings RedisWiring::SentinelSettings() const {
  RedisSentinel::Settings settings{.sentinels = {}, .master_name = config_.master_name, .make_link = [this] {
                                     return RedisLinkSettings{.address = {},
                                                              .tls = config_.tls,
                                                              .ca_file = config_.tls_ca_file,
                                                              .username = {},
                                                              .password = Current(config_.sentinel_password),
                                                              .probe_key = {},
                                                              .tracked_prefixes = {}};
                                   }};
  for (const HostPort& each : config_.sentinels) settings.sentinels.push_back({each.host, each.port});
  return settings;
}

RedisLinkSettings RedisWiring::LinkSettings(bool tracks) const {
  using Expects = RedisLinkSettings::Expects;
  RedisLinkSettings settings{.address = address_,
                             .expects = config_.sentinels.empty() ? Expects::kRedis : Expects::kMaster,
                             .tls = config_.tls,
                             .ca_file = config_.tls_ca_file,
                             .username = config_.username,
                             .password = Current(config_.password),
                             .db = config_.db,
                             .probe_key = keys_.Leader(),
                             .tracked_prefixes = {}};
  if (tracks) settings.tracked_prefixes = keys_.TrackedPrefixes();
  return settings;
}

absl::Status RedisWiring::Start(const Parts& parts) {
  cover_ = std::make_unique<RedisCover>(
      RedisCover::Parts{
          .client = client_, .store = store_, .intake = parts.intake, .changed = parts.changed, .clock = tools_.clock},
      keys_, config_.timeout, config_.external_writer);
  store_.SetMaintained([this] { return cover_->maintained(); });
  if (parts.feed != nullptr) {
    leader_ = std::make_unique<RedisLeader>(RedisLeader::Parts{.client = client_,
                                                               .writer = writer_,
                                                               .cover = *cover_,
                                                               .intake = parts.intake,
                                                               .feed = *parts.feed,
                                                               .clock = tools_.clock,
                                                               .timers = timers_,
                                                               .random = tools_.random});
  }
  if (config_.sentinels.empty()) {
    auto ended = std::make_shared<std::promise<absl::Status>>();
    Connect([ended](absl::Status status) { ended->set_value(std::move(status)); });
    std::future<absl::Status> first = ended->get_future();
    if (first.wait_for(kFirstAttempt) == std::future_status::ready) {
      if (const absl::Status status = first.get(); absl::IsFailedPrecondition(status)) {
        return InvalidArgument("Redis at ", config_.host, ":", config_.port, ": ", Message(status));
      }
    }
  } else {
    sentinel_ = std::make_unique<RedisSentinel>(
        RedisClient::Tools{io_.context(), tools_.clock, timers_, tools_.random, tools_.metrics}, SentinelSettings(),
        [this](const RedisAddress& address) { OnMaster(address); });
    sentinel_->Start();
  }
  if (leader_ != nullptr) leader_->Start();
  return absl::OkStatus();
}

void RedisWiring::OnMaster(const RedisAddress& address) {
  address_ = address;
  if (!std::exchange(connecting_, true)) return Connect([](const absl::Status&) {});
  new_master_ = true;
  const absl::Status why = Unavailable("another Redis is the master now");
  client_.Reconnect(why);
  subscriber_.Reconnect(why);
}

void RedisWiring::OnUp() {
  cover_->OnUp();
  if (leader_ == nullptr) return;
  leader_->OnUp();
  if (std::exchange(new_master_, false)) leader_->OnNewMaster();
}

void RedisWiring::Connect(absl::AnyInvocable<void(absl::Status) &&> first_attempt) {
  client_.Start({.on_up = [this] { OnUp(); },
                 .on_down = [this] { cover_->OnDown(); },
                 .on_push = [this](const RedisReply& push) { cover_->OnPush(push); },
                 .poll = [this](absl::AnyInvocable<void(bool) &&> done) { cover_->Poll(std::move(done)); },
                 .on_failed_attempt =
                     [this] {
                       if (sentinel_ != nullptr) sentinel_->NoteUnreachable();
                     }},
                std::move(first_attempt));
  subscriber_.Start({.on_up = [] {},
                     .on_down = [] {},
                     .on_push = [this](const RedisReply& push) { locks_.OnPush(push); },
                     .poll =
                         [this](absl::AnyInvocable<void(bool) &&> done) {
                           subscriber_.Call({"EXISTS", keys_.Leader()}, tools_.clock.Now() + config_.timeout,
                                            [done = std::move(done)](const absl::StatusOr<RedisReply>& reply) mutable {
                                              std::move(done)(reply.ok());
                                            });
                         }},
                    [](const absl::Status&) {});
}

void RedisWiring::LookForKeys(Millis timeout, absl::AnyInvocable<void(absl::StatusOr<bool>) &&> done) {
  client_.Call({"SCAN", "0", "MATCH", config_.environment_prefix + ":*", "COUNT", "10000"},
               tools_.clock.Now() + timeout, [done = std::move(done)](const absl::StatusOr<RedisReply>& reply) mutable {
                 if (!reply.ok()) return std::move(done)(reply.status());
                 std::move(done)(reply->items.size() == 2 && !reply->items[1].items.empty());
               });
}

void RedisWiring::Stop(absl::AnyInvocable<void() &&> done) {
  if (leader_ == nullptr) return std::move(done)();
  leader_->Stop(std::move(done));
}

}  // namespace sidecar
