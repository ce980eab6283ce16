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
      client_("Redis", {io_.context(), tools.clock, timers_, tools.random, tools.metrics},
              [this] { return LinkSettings(/*tracks=*/true); }, &tools.metrics.redis_up, {}),
      subscriber_("Redis, second connection", {io_.context(), tools.clock, timers_, tools.random, tools.metrics},
                  [this] { return LinkSettings(/*tracks=*/false); }, nullptr, {}),
      locks_(client_, subscriber_, keys_, tools.clock, timers_),
      writer_(client_, keys_, tools.clock, tools.metrics, [this](MonoTime at) { return store_.RedisTime(at); },
              {.keys_ttl_secs = config.redis.keys_ttl_secs, .update_only = config.redis.update_only}),
      store_(client_, writer_, locks_, tools.clock, tools.metrics,
             {.timeout = config.redis.timeout,
              .unknown_age = LongestLife(config.redis),
              .external_writer = config.redis.external_writer}) {}

RedisLinkSettings RedisWiring::LinkSettings(bool tracks) const {
  RedisLinkSettings settings{.host = config_.host,
                             .port = config_.port,
                             .tls = config_.tls,
                             .ca_file = config_.tls_ca_file,
                             .username = config_.username,
                             .password = config_.password.value,
                             .db = config_.db,
                             .tracked_prefixes = {}};
  if (tracks) settings.tracked_prefixes = keys_.TrackedPrefixes();
  if (!config_.password.file.empty()) {
    // It may have been rotated.
    if (const absl::StatusOr<std::string> text = ReadFile(config_.password.file); text.ok()) {
      settings.password = std::string(StripWhitespace(*text));
    }
  }
  return settings;
}

absl::Status RedisWiring::Start(const Parts& parts) {
  cover_ = std::make_unique<RedisCover>(
      RedisCover::Parts{
          .client = client_, .store = store_, .intake = parts.intake, .changed = parts.changed, .clock = tools_.clock},
      keys_, config_.timeout, config_.external_writer);
  store_.SetMaintained([this] { return cover_->maintained(); });
  auto ended = std::make_shared<std::promise<absl::Status>>();
  client_.Start({.on_up = [this] { cover_->OnUp(); },
                 .on_down = [this] { cover_->OnDown(); },
                 .on_push = [this](const RedisReply& push) { cover_->OnPush(push); },
                 .poll = [this](absl::AnyInvocable<void(bool) &&> done) { cover_->Poll(std::move(done)); }},
                [ended](absl::Status status) { ended->set_value(std::move(status)); });
  subscriber_.Start({.on_up = [] {},
                     .on_down = [] {},
                     .on_push = [this](const RedisReply& push) { locks_.OnPush(push); },
                     .poll =
                         [this](absl::AnyInvocable<void(bool) &&> done) {
                           subscriber_.Call({"PING"}, tools_.clock.Now() + config_.timeout,
                                            [done = std::move(done)](const absl::StatusOr<RedisReply>& reply) mutable {
                                              std::move(done)(reply.ok());
                                            });
                         }},
                    [](const absl::Status&) {});
  std::future<absl::Status> first = ended->get_future();
  if (first.wait_for(kFirstAttempt) == std::future_status::ready) {
    if (const absl::Status status = first.get(); absl::IsFailedPrecondition(status)) {
      return InvalidArgument("Redis at ", config_.host, ":", config_.port, ": ", Message(status));
    }
  }
  if (parts.feed != nullptr) {
    leader_ = std::make_unique<RedisLeader>(RedisLeader::Parts{.client = client_,
                                                               .writer = writer_,
                                                               .cover = *cover_,
                                                               .intake = parts.intake,
                                                               .feed = *parts.feed,
                                                               .clock = tools_.clock,
                                                               .timers = timers_,
                                                               .random = tools_.random});
    leader_->Start();
  }
  return absl::OkStatus();
}

void RedisWiring::Stop(absl::AnyInvocable<void() &&> done) {
  if (leader_ == nullptr) return std::move(done)();
  leader_->Stop(std::move(done));
}

}  // namespace sidecar
