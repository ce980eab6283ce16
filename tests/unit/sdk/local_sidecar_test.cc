// A sidecar that the client starts for itself: the real binary.
#include "stigg/sidecar/local_sidecar.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <atomic>
#include <thread>

#include "sdk/local_process.h"
#include "stigg/sidecar/client.h"
#include "support/status_matchers.h"
#include "support/temporary_directory.h"

namespace stigg::sidecar {
namespace {

using ::sidecar::testing::Contents;
using ::sidecar::testing::FailsWith;
using ::sidecar::testing::IsOk;
using ::sidecar::testing::SetContents;
using ::sidecar::testing::TemporaryDirectory;

constexpr char kData[] =
    R"({"features": {"seats": {"type": "metered", "units": "seat", "unitsPlural": "seats"}},
        "plans": {"pro": {"seats": {"limit": 5}}},
        "customers": {"acme": {"plan": "pro", "usage": {"seats": 3}}}})";

/// Without account and network.
LocalSidecar Offline() { return {.program = SIDECAR_BINARY, .environment = {{"OFFLINE", "1"}}}; }

TEST(LocalSidecarOptions, AreTheEnvironment) {
  const LocalSidecar local{.api_key = "key",
                           .api_url = "http://api",
                           .edge_enabled = false,
                           .edge_api_url = "http://edge",
                           .ws_enabled = true,
                           .ws_url = "ws://feed",
                           .redis = RedisOptions{.environment_prefix = "p",
                                                 .host = "h",
                                                 .port = 1,
                                                 .db = 2,
                                                 .username = "u",
                                                 .password = "s",
                                                 .ttl_secs = 3},
                           .entitlements_fallback = {{"b", BooleanFallback{.has_access = true}},
                                                     {"e", EnumFallback{.has_access = true, .values = {"x", "y"}}},
                                                     {"m", MeteredFallback{.usage_limit = 2.5, .is_unlimited = false}},
                                                     {"n", NumericFallback{.has_access = true, .value = 7}}},
                           .cache_max_size_bytes = 1 << 20,
                           .environment = {{"LOG_LEVEL", "info"}}};
  EXPECT_EQ(sdk::EnvironmentOf(local),
            (std::map<std::string, std::string>{
                {"SERVER_API_KEY", "key"},
                {"API_URL", "http://api"},
                {"EDGE_ENABLED", "0"},
                {"EDGE_API_URL", "http://edge"},
                {"WS_ENABLED", "1"},
                {"WS_URL", "ws://feed"},
                {"REDIS_ENVIRONMENT_PREFIX", "p"},
                {"REDIS_HOST", "h"},
                {"REDIS_PORT", "1"},
                {"REDIS_DB", "2"},
                {"REDIS_USERNAME", "u"},
                {"REDIS_PASSWORD", "s"},
                {"REDIS_KEYS_TTL_IN_SECS", "3"},
                {"ENTITLEMENTS_FALLBACK",
                 R"({"b":{"hasAccess":true},"e":{"hasAccess":true,"enumValues":["x","y"]},)"
                 R"("m":{"hasAccess":false,"usageLimit":2.5,"isUnlimited":false},"n":{"hasAccess":true,"value":7}})"},
                {"CACHE_MAX_SIZE_BYTES", "1048576"},
                {"DRAIN_SETTLE_MS", "0"},
                {"END_WITH_PARENT", "1"},
                {"HTTP_PORT", "0"},
                {"LOG_LEVEL", "info"},
            }));
}

TEST(LocalSidecarTest, AnswersAndEndsWithTheClient) {
  const TemporaryDirectory directory;
  SetContents(directory.File("data.json"), kData);
  LocalSidecar local = Offline();
  local.environment["OFFLINE_DATA_FILE"] = directory.File("data.json");
  auto client = Client::CreateLocal(local);
  ASSERT_THAT(client, IsOk());
  const pid_t pid = (*client)->local_process_id();
  EXPECT_EQ(kill(pid, 0), 0);
  const auto answer = (*client)->GetMeteredEntitlement(
      {.customer_id = "acme", .feature_id = "seats", .requested_usage = 2}, {.timeout = Millis(10'000)});
  ASSERT_THAT(answer, IsOk());
  EXPECT_TRUE(answer->has_access);
  EXPECT_EQ(answer->entitlement.current_usage, 3);
  EXPECT_EQ(answer->entitlement.usage_limit, 5);
  client->reset();
  EXPECT_EQ(kill(pid, 0), -1) << "it is gone, and nothing is left to wait for";
}

TEST(LocalSidecarTest, WhenItIsKilledTheFallbacksAnswer) {
  LocalSidecar local = Offline();
  local.entitlements_fallback = {{"seats", MeteredFallback{.has_access = true, .usage_limit = 9}}};
  auto client = Client::CreateLocal(local);
  ASSERT_THAT(client, IsOk());
  const MeteredCheck check{.customer_id = "acme", .feature_id = "seats", .requested_usage = 2};
  const auto before = (*client)->GetMeteredEntitlement(check, {.timeout = Millis(10'000)});
  ASSERT_THAT(before, IsOk());
  EXPECT_EQ(before->source, Source::kFallback) << "the sidecar has it, too";
  kill((*client)->local_process_id(), SIGKILL);
  auto after = (*client)->GetMeteredEntitlement(check);
  for (int n = 0; n < 1'000 && after->source != Source::kUnreachable; ++n)
    after = (*client)->GetMeteredEntitlement(check);
  ASSERT_THAT(after, IsOk());
  EXPECT_EQ(after->source, Source::kUnreachable);
  // Whoever answers, it is the same.
  EXPECT_EQ(after->has_access, before->has_access);
  EXPECT_EQ(after->is_fallback, before->is_fallback);
  EXPECT_EQ(after->access_denied_reason, before->access_denied_reason);
  EXPECT_EQ(after->requested_usage, before->requested_usage);
  EXPECT_EQ(after->entitlement, before->entitlement);
}

TEST(LocalSidecarTest, FallbacksOfACallAreTheSameWhoeverAnswers) {
  auto client = Client::CreateLocal(Offline());
  ASSERT_THAT(client, IsOk());
  const CallOptions patient{.timeout = Millis(10'000)};
  const Fallback fallbacks[] = {BooleanFallback{.has_access = true}, NumericFallback{.value = 3},
                                MeteredFallback{.has_access = true, .usage_limit = 4, .is_unlimited = true},
                                EnumFallback{.has_access = true, .values = {"a", "b"}}};
  std::vector<EntitlementAnswer> answers[2];
  const auto ask = [&](std::vector<EntitlementAnswer>& into) {
    for (const Fallback& fallback : fallbacks) {
      for (const auto& answer :
           {(*client)->GetEntitlement({.customer_id = "c", .feature_id = "f", .fallback = fallback}, patient),
            (*client)->GetEntitlementV2({.customer_id = "c", .feature_id = "f", .fallback = fallback}, patient),
            (*client)->GetEntitlementV2({.customer_id = "c", .currency_id = "t", .fallback = fallback}, patient)}) {
        ASSERT_THAT(answer, IsOk());
        into.push_back(*answer);
      }
    }
  };
  ask(answers[0]);
  const pid_t pid = (*client)->local_process_id();
  kill(pid, SIGKILL);
  siginfo_t ended;
  waitid(P_PID, static_cast<id_t>(pid), &ended, WEXITED | WNOWAIT);
  ask(answers[1]);
  ASSERT_EQ(answers[0].size(), answers[1].size());
  for (size_t i = 0; i < answers[0].size(); ++i) {
    EXPECT_EQ(answers[0][i].source, Source::kFallback) << i;
    EXPECT_EQ(answers[1][i].source, Source::kUnreachable) << i;
    EXPECT_EQ(answers[1][i].has_access, answers[0][i].has_access) << i;
    EXPECT_EQ(answers[1][i].access_denied_reason, answers[0][i].access_denied_reason) << i;
    EXPECT_TRUE(answers[1][i].entitlement == answers[0][i].entitlement) << i;
  }
}

TEST(LocalSidecarTest, KilledUnderTrafficItCostsNobodyMoreThanHisDeadlineAndIsFoundAgain) {
  auto process = sdk::LocalProcess::Start(Offline());
  ASSERT_THAT(process, IsOk());
  LocalSidecar again = Offline();
  again.port = (*process)->port();
  const auto client = Client::Create({.host = "127.0.0.1", .port = again.port, .timeout = Millis(1'000)});
  ASSERT_THAT(client, IsOk());
  std::atomic<bool> stop{false};
  std::atomic<int> by_sidecar{0};
  std::atomic<int> by_client{0};
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&] {
      while (!stop) {
        const auto start = std::chrono::steady_clock::now();
        const auto answer = (*client)->GetBooleanEntitlement(
            {.customer_id = "c", .feature_id = "f", .fallback = BooleanFallback{.has_access = true}});
        const bool late = std::chrono::steady_clock::now() - start > Millis(2'000);  // slack of a slow machine
        if (!answer.ok() || !answer->has_access || late) ++wrong;
        ++(answer.ok() && answer->source == Source::kUnreachable ? by_client : by_sidecar);
      }
    });
  }
  const auto count_on = [](const std::atomic<int>& count) {
    const int from = count;
    const auto deadline = std::chrono::steady_clock::now() + Millis(30'000);
    while (count < from + 100 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    EXPECT_GE(count, from + 100);
  };
  count_on(by_sidecar);
  kill((*process)->pid(), SIGKILL);
  count_on(by_client);
  process->reset();
  process = sdk::LocalProcess::Start(again);
  EXPECT_THAT(process, IsOk());
  count_on(by_sidecar);
  stop = true;
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0);
}

TEST(LocalSidecarTest, SaysWhyItDoesNotStart) {
  LocalSidecar local = Offline();
  local.program = "/nonexistent/stigg-sidecar";
  EXPECT_THAT(Client::CreateLocal(local), FailsWith(absl::StatusCode::kNotFound, "/nonexistent/stigg-sidecar"));
  local = Offline();
  local.environment["ENTITLEMENTS_TTL_SECS"] = "soon";
  EXPECT_THAT(Client::CreateLocal(local), FailsWith(absl::StatusCode::kInvalidArgument, "ENTITLEMENTS_TTL_SECS"));
  local = {.program = SIDECAR_BINARY};
  EXPECT_THAT(Client::CreateLocal(local), FailsWith(absl::StatusCode::kInvalidArgument, "SERVER_API_KEY"));
  local = {.program = "/bin/sleep", .start_timeout = Millis(50)};
  EXPECT_THAT(Client::CreateLocal(local), FailsWith(absl::StatusCode::kUnavailable, "ended with 1"));
  const TemporaryDirectory directory;
  SetContents(directory.File("silent"), "#!/bin/sh\necho Sidecar is nearly ready\nexec sleep 60\n");
  chmod(directory.File("silent").c_str(), 0755);
  local.program = directory.File("silent");
  EXPECT_THAT(Client::CreateLocal(local), FailsWith(absl::StatusCode::kDeadlineExceeded, "not ready after 50 ms"));
  local.port = 65'536;
  EXPECT_THAT(Client::CreateLocal(local),
              FailsWith(absl::StatusCode::kInvalidArgument, "port: 65536; expected 0 to 65535"));
  local.port = 0;
  local.redis = RedisOptions{};
  EXPECT_THAT(Client::CreateLocal(local), FailsWith(absl::StatusCode::kInvalidArgument, "redis.environment_prefix"));
}

TEST(LocalSidecarTest, WhatAWrapperLeavesBehindEndsToo) {
  const TemporaryDirectory directory;
  SetContents(directory.File("wrapper"),
              "#!/bin/sh\nsleep 600 &\necho $! > " + directory.File("pid") + "\necho Sidecar is ready\nwait\n");
  chmod(directory.File("wrapper").c_str(), 0755);
  auto client = Client::CreateLocal({.program = directory.File("wrapper")});
  ASSERT_THAT(client, IsOk());
  const pid_t below = std::stoi(Contents(directory.File("pid")));
  EXPECT_EQ(kill(below, 0), 0);
  client->reset();  // does not wait for the ten minutes
  // Its new parent, which is not ours to know, may not have taken note yet.
  std::string status;
  const auto has_ended = [&] {
    status = Contents("/proc/" + std::to_string(below) + "/stat");
    return status.empty() || status.find(") Z ") != std::string::npos;
  };
  // Its descriptors, which were waited for, are closed a moment earlier.
  const auto deadline = std::chrono::steady_clock::now() + Millis(10'000);
  while (!has_ended() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  EXPECT_TRUE(has_ended()) << status;
}

TEST(LocalSidecarTest, APortThatIsTakenIsSaid) {
  auto first = Client::CreateLocal(Offline());
  ASSERT_THAT(first, IsOk());
  LocalSidecar second = Offline();
  second.port = (*first)->local_port();
  EXPECT_THAT(Client::CreateLocal(second), FailsWith(absl::StatusCode::kUnavailable, std::to_string(second.port)));
}

}  // namespace
}  // namespace stigg::sidecar
