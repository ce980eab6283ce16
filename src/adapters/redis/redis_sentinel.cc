#include "adapters/redis/redis_sentinel.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "text/text.h"

namespace sidecar {
namespace {

constexpr std::string_view kMoved = "+switch-master";

/// Attempts to reach a master before another Sentinel is asked for it.
constexpr int kUnreachableMax = 4;

/// There are others to ask: not long for any of them.
constexpr RedisClientSettings kClientSettings{.connect_timeout = Millis(500),
                                              .reconnect_min = Millis(50),
                                              .reconnect_max = Millis(1'000),
                                              .silence_max = Millis(2'000)};

}  // namespace

RedisSentinel::RedisSentinel(const RedisClient::Tools& tools, Settings settings, OnMaster on_master)
    : tools_(tools),
      settings_(std::move(settings)),
      on_master_(std::move(on_master)),
      client_(
          "Redis Sentinel", tools, [this] { return NextSentinel(); }, nullptr, kClientSettings) {}

void RedisSentinel::Start() {
  // The poll follows at once and asks.
  client_.Start({.on_up = [this] { client_.Subscribe(std::string(kMoved)); },
                 .on_down = [] {},
                 .on_push = [this](const RedisReply& push) { OnPush(push); },
                 .poll = [this](absl::AnyInvocable<void(bool) &&> done) { Ask(std::move(done)); }},
                [](const absl::Status&) {});
}

RedisLinkSettings RedisSentinel::NextSentinel() {
  RedisLinkSettings link = settings_.make_link();
  link.address = settings_.sentinels[next_++ % settings_.sentinels.size()];
  link.expects = RedisLinkSettings::Expects::kSentinel;
  return link;
}

void RedisSentinel::Ask(absl::AnyInvocable<void(bool) &&> done) {
  client_.Call({"SENTINEL", "GET-MASTER-ADDR-BY-NAME", settings_.master_name}, tools_.clock.Now() + kAnswersWithin,
               [this, done = std::move(done)](const absl::StatusOr<RedisReply>& reply) mutable {
                 if (reply.ok()) {
                   const std::string* const host = reply->TextAt(0);
                   const std::string* const port = reply->TextAt(1);
                   if (host != nullptr && port != nullptr) {
                     Named(*host, *port);
                   } else if (!std::exchange(said_unknown_, true)) {
                     spdlog::error("Redis Sentinel: it knows no master named {}; check REDIS_MASTER_NAME",
                                   settings_.master_name);
                   }
                 }
                 std::move(done)(reply.ok());
               });
}

/// message, +switch-master, "<name> <old host> <old port> <new host> <new port>".
void RedisSentinel::OnPush(const RedisReply& push) {
  const std::string* const channel = push.TextAt(1);
  const std::string* const text = push.TextAt(2);
  if (channel == nullptr || text == nullptr || *channel != kMoved) return;
  const std::vector<std::string_view> words = Split(*text, ' ');
  if (words.size() == 5 && words[0] == settings_.master_name) Named(std::string(words[3]), std::string(words[4]));
}

void RedisSentinel::Named(const std::string& host, const std::string& port) {
  const std::optional<uint16_t> number = ParseNumber<uint16_t>(port);
  if (!number.has_value() || host.empty()) return;
  RedisAddress named{host, *number};
  if (master_ == named) return;
  if (master_.has_value()) spdlog::info("Redis: the master is {}:{} now", named.host, named.port);
  master_ = std::move(named);
  unreachable_ = 0;
  on_master_(*master_);
}

void RedisSentinel::NoteUnreachable() {
  if (++unreachable_ < kUnreachableMax) return;
  unreachable_ = 0;
  client_.Reconnect(Unavailable("the master that it names cannot be reached; asking another one"));
}

}  // namespace sidecar
