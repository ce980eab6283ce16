// Settings that are right each for itself and wrong together, and what each purpose refuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/load.h"

namespace sidecar {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

LoadedConfig LoadEnvironment(Environment environment, Purpose purpose = Purpose::kServe) {
  environment.try_emplace("SERVER_API_KEY", "key");
  return LoadConfig(environment, purpose, [](const std::string&) { return absl::NotFoundError("no such file"); });
}

std::vector<std::string> Violations(Environment environment, Purpose purpose = Purpose::kServe) {
  return LoadEnvironment(std::move(environment), purpose).violations;
}

TEST(CrossChecksTest, ProbesHavePathsOfTheirOwn) {
  EXPECT_THAT(Violations({{"HEALTH_ENDPOINT_URL", "up"}, {"READY_ENDPOINT_URL", "/up"}}),
              ElementsAre("HEALTH_ENDPOINT_URL=/up and READY_ENDPOINT_URL=/up are the same: expected two paths"));
  EXPECT_THAT(Violations({{"HEALTH_ENDPOINT_URL", "readyz"}}), SizeIs(1));
  EXPECT_THAT(Violations({{"HEALTH_ENDPOINT_URL", "metrics"}}),
              ElementsAre("HEALTH_ENDPOINT_URL=/metrics is taken: expected another path than /metrics"));
  EXPECT_THAT(Violations({{"READY_ENDPOINT_URL", "/metrics"}}), ElementsAre(HasSubstr("READY_ENDPOINT_URL=/metrics")));
  EXPECT_THAT(Violations({{"READY_ENDPOINT_URL", "metrics"}, {"HEALTH_ENDPOINT_URL", "metrics"}}), SizeIs(3));
}

TEST(CrossChecksTest, PortsDiffer) {
  EXPECT_THAT(Violations({{"PORT", "9000"}, {"HTTP_PORT", "9000"}}),
              ElementsAre("PORT=9000 and HTTP_PORT=9000 are the same: expected two ports; set HTTP_PORT to another "
                          "port, or to 0"));
  EXPECT_THAT(Violations({{"GRPC_PORT", "8443"}}), ElementsAre(HasSubstr("PORT=8443 and GRPC_PORT=8443")));
  EXPECT_THAT(Violations({{"GRPC_PORT", "9000"}, {"HTTP_PORT", "9000"}}),
              ElementsAre(HasSubstr("GRPC_PORT=9000 and HTTP_PORT=9000")));
  EXPECT_THAT(Violations({{"GRPC_PORT", "0"}, {"HTTP_PORT", "0"}}), IsEmpty());
}

TEST(CrossChecksTest, AnHttpPortLeftAtItsDefaultGivesWay) {
  const LoadedConfig loaded = LoadEnvironment({{"PORT", "8080"}});
  EXPECT_THAT(loaded.violations, IsEmpty());
  EXPECT_THAT(loaded.warnings, ElementsAre(HasSubstr("HTTP_PORT")));
}

TEST(CrossChecksTest, ARecordingIsMadeWithoutTheUsageOverlay) {
  EXPECT_THAT(Violations({{"RECORD_PATH", "/tmp/r"}, {"USAGE_OVERLAY", "1"}}), ElementsAre(HasSubstr("USAGE_OVERLAY")));
}

TEST(CrossChecksTest, SentinelsAndTheirMasterAreNamedTogether) {
  EXPECT_THAT(Violations({{"REDIS_SENTINELS", "a:1,b"}}), ElementsAre(HasSubstr("REDIS_MASTER_NAME")));
  EXPECT_THAT(Violations({{"REDIS_MASTER_NAME", "mymaster"}}), ElementsAre(HasSubstr("REDIS_SENTINELS")));
  const LoadedConfig loaded =
      LoadEnvironment({{"REDIS_SENTINELS", "a:1, [::1] ,b"}, {"REDIS_MASTER_NAME", "m"}, {"REDIS_HOST", "c"}});
  EXPECT_THAT(loaded.violations, IsEmpty());
  EXPECT_THAT(loaded.warnings, ElementsAre(HasSubstr("REDIS_HOST")));
  ASSERT_THAT(loaded.config.redis.sentinels, SizeIs(3));
  EXPECT_EQ(loaded.config.redis.sentinels[1].host, "::1");
  EXPECT_EQ(loaded.config.redis.sentinels[2].port, 26379);
  for (const char* bad : {",", "a,,b", "a:0", "a:b", "redis://a:1", "a b"}) {
    EXPECT_THAT(Violations({{"REDIS_SENTINELS", bad}, {"REDIS_MASTER_NAME", "m"}}), ::testing::Not(IsEmpty())) << bad;
  }
}

TEST(CrossChecksTest, TlsIsNotSilentlyLeftOut) {
  EXPECT_THAT(Violations({{"TLS_CERT_FILE", "c"}}), ElementsAre(HasSubstr("TLS_KEY_FILE is not set")));
  EXPECT_THAT(Violations({{"TLS_KEY_FILE", "k"}}), ElementsAre(HasSubstr("TLS_CERT_FILE is not set")));
  EXPECT_THAT(Violations({{"TLS_CLIENT_CA_FILE", "a"}}), ElementsAre(HasSubstr("TLS_CLIENT_CA_FILE is set without")));
  EXPECT_THAT(Violations({{"TLS_CERT_FILE", "c"}, {"TLS_CLIENT_CA_FILE", "a"}}, Purpose::kDev), SizeIs(1));
  EXPECT_THAT(Violations({{"TLS_CERT_FILE", "c"}, {"TLS_KEY_FILE", "k"}}), IsEmpty());
}

TEST(CrossChecksTest, DevIsNotOffline) {
  EXPECT_THAT(Violations({{"OFFLINE", "1"}}, Purpose::kDev), ElementsAre(HasSubstr("OFFLINE=1 contradicts `dev`")));
  EXPECT_THAT(Violations({{"OFFLINE", "1"}, {"OFFLINE_DATA_FILE", "x.json"}}, Purpose::kDev),
              ElementsAre(HasSubstr("OFFLINE=1 contradicts `dev`"), HasSubstr("dev --data FILE")));
  EXPECT_THAT(Violations({{"OFFLINE", "0"}}, Purpose::kDev), IsEmpty());
}

TEST(CrossChecksTest, TheShadowIsAnotherSidecar) {
  for (const char* const target : {"127.0.0.1:8443", "localhost:8443", "[::1]:8443", "127.0.0.1:9000"}) {
    EXPECT_THAT(Violations({{"SHADOW_TARGET", target}, {"GRPC_PORT", "9000"}}),
                ElementsAre(HasSubstr("it would agree with itself")))
        << target;
  }
  EXPECT_THAT(Violations({{"SHADOW_TARGET", "10.0.0.1:8443"}, {"LISTEN_ADDRESS", "10.0.0.1"}}), SizeIs(1));
  EXPECT_THAT(Violations({{"SHADOW_TARGET", "unix:/run/s"}, {"GRPC_SOCKET", "/run/s"}}), SizeIs(1));
  for (const char* const target : {"127.0.0.1:8444", "other:8443", "unix:/run/s"}) {
    EXPECT_THAT(Violations({{"SHADOW_TARGET", target}}), IsEmpty()) << target;
  }
  EXPECT_THAT(Violations({{"SHADOW_TARGET", "127.0.0.1:8443"}, {"LISTEN_ADDRESS", "10.0.0.1"}}), IsEmpty());
}

TEST(CrossChecksTest, TermsOfTheShadowNeedOne) {
  EXPECT_THAT(Violations({{"SHADOW_TIMEOUT_MS", "5"}}),
              ElementsAre("SHADOW_TIMEOUT_MS is set without SHADOW_TARGET: set both or neither"));
}

TEST(CrossChecksTest, AClientIsToldWhatConcernsWhereItDials) {
  for (const char* name : {"PORT", "GRPC_PORT", "HTTP_PORT", "LISTEN_ADDRESS"}) {
    EXPECT_THAT(Violations({{name, "bad"}}, Purpose::kClient), ElementsAre(HasSubstr(name))) << name;
  }
  EXPECT_THAT(Violations({{"HEALTH_ENDPOINT_URL", "a b"}}, Purpose::kClient), SizeIs(1));
  EXPECT_THAT(Violations({{"READY_ENDPOINT_URL", "a?b"}}, Purpose::kClient), SizeIs(1));
  EXPECT_THAT(Violations({{"GRPC_SOCKET", std::string(108, 'x')}}, Purpose::kClient), SizeIs(1));
  EXPECT_THAT(Violations({{"PORT", "9000"}, {"HTTP_PORT", "9000"}}, Purpose::kClient), SizeIs(1));
}

TEST(CrossChecksTest, AClientIsNotToldWhatDoesNotConcernIt) {
  const LoadedConfig loaded = LoadEnvironment({{"API_URL", "nowhere"},
                                               {"LOG_LEVEL", "loud"},
                                               {"HTTPS_PROXY", "socks5://p:1"},
                                               {"TLS_CERT_FILE", "x"},
                                               {"DRAIN_SETTLE_MS", "20000"},
                                               {"REDIS_HOTS", "x"},
                                               {"SERVER_API_KEY_FILE", "/nowhere"}},
                                              Purpose::kClient);
  EXPECT_THAT(loaded.violations, IsEmpty());
  EXPECT_THAT(loaded.warnings, IsEmpty());
}

}  // namespace
}  // namespace sidecar
