#include "config/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "text/text.h"

namespace sidecar {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

absl::StatusOr<std::string> NoFiles(const std::string&) { return absl::NotFoundError("no such file"); }

LoadedConfig Load(Environment environment, Purpose purpose = Purpose::kServe, const FileReader& files = NoFiles) {
  environment.try_emplace("SERVER_API_KEY", "key");
  return LoadConfig(environment, purpose, files);
}

TEST(LoadConfigTest, DefaultsAreTheOfficialOnes) {
  const LoadedConfig loaded = Load({});
  EXPECT_THAT(loaded.violations, IsEmpty());
  EXPECT_THAT(loaded.warnings, IsEmpty());
  const Config& config = loaded.config;
  EXPECT_EQ(config.api_url, "https://api.stigg.io");
  EXPECT_EQ(config.edge_api_url, "https://edge.api.stigg.io");
  EXPECT_EQ(config.ws_url, "wss://api.stigg.io");
  EXPECT_TRUE(config.edge_enabled);
  EXPECT_TRUE(config.ws_enabled);
  EXPECT_EQ(config.port, 8443);
  EXPECT_EQ(config.http_port, 8080);
  EXPECT_EQ(config.grpc_port, 0);
  EXPECT_EQ(config.redis.host, "localhost");
  EXPECT_EQ(config.redis.port, 6379);
  EXPECT_EQ(config.redis.keys_ttl_secs, 604'800);
  EXPECT_EQ(config.health_path, "/livez");
  EXPECT_EQ(config.ready_path, "/readyz");
  EXPECT_EQ(config.log_level, "warn");
  EXPECT_EQ(config.listen_address, "::");
}

TEST(LoadConfigTest, AnEmptyVariableIsUnset) {
  const LoadedConfig loaded = Load({{"PORT", ""}, {"EDGE_ENABLED", "  "}, {"API_URL", ""}});
  EXPECT_THAT(loaded.violations, IsEmpty());
  EXPECT_EQ(loaded.config.port, 8443);
  EXPECT_TRUE(loaded.config.edge_enabled);
}

TEST(LoadConfigTest, BooleansAreReadInEverySpelling) {
  for (const char* yes : {"1", "true", "True", "TRUE", "yes", "on", " 1", "On "}) {
    EXPECT_TRUE(Load({{"OFFLINE", yes}}).config.offline) << yes;
  }
  for (const char* no : {"0", "false", "False", "no", "OFF"}) {
    EXPECT_FALSE(Load({{"EDGE_ENABLED", no}}).config.edge_enabled) << no;
  }
  EXPECT_THAT(Load({{"EDGE_ENABLED", "maybe"}}).violations,
              ElementsAre("EDGE_ENABLED='maybe' is not accepted: expected 1/0/true/false/yes/no/on/off"));
}

struct Mistake {
  const char* name;
  const char* value;
  const char* message;
};

TEST(LoadConfigTest, EveryKindOfMistakeNamesVariableValueAndWhatIsAccepted) {
  const Mistake mistakes[] = {
      {"PORT", "abc", "PORT='abc' is not accepted: expected a port, 1 to 65535"},
      {"PORT", "0", "PORT='0'"},
      {"PORT", "65536", "PORT='65536'"},
      {"PORT", "8443 ", ""},  // white space is an accident of quoting
      {"API_URL", "api.stigg.io", "(the scheme is missing)"},
      {"API_URL", "https://api.stigg.io/graphql", "(without /graphql or /api at the end"},
      {"API_URL", "https://api.stigg.io/api/", "(without /graphql or /api at the end"},
      {"API_URL", "wss://api.stigg.io", "expected http://host[:port] or https://host[:port]"},
      {"WS_URL", "https://api.stigg.io", "expected ws://host[:port] or wss://host[:port]"},
      {"REDIS_PORT", "tcp://10.0.0.1:6379", "set enableServiceLinks: false"},
      {"REDIS_DB", "-1", "REDIS_DB='-1'"},
      {"REDIS_KEYS_TTL_IN_SECS", "a week", "expected whole seconds, 1 to 315360000"},
      {"ENTITLEMENTS_FALLBACK", "{'f':{}}", "use double quotes"},
      {"ENTITLEMENTS_FALLBACK", "{\"f\":{\"hasAccess\":true},}", "remove the comma"},
      {"ENTITLEMENTS_FALLBACK", "{\"f\":{}}", "f.hasAccess: expected true or false"},
      {"ENTITLEMENTS_TTL_SECS", "0", "expected whole seconds, 1 to 86400"},
      {"ENTITLEMENTS_TTL_SECS", "1.5", "ENTITLEMENTS_TTL_SECS='1.5'"},
      {"CACHE_MAX_SIZE_BYTES", "512MB", "expected whole bytes, at least 1048576"},
      {"CACHE_MAX_SIZE_BYTES", "1000", "CACHE_MAX_SIZE_BYTES='1000'"},
      {"LOG_LEVEL", "verbose", "expected error, warn, info or debug"},
      {"UPSTREAM_API", "v3", "expected auto, v2 or v1"},
      {"HEALTH_ENDPOINT_URL", "live z", "HEALTH_ENDPOINT_URL='live z'"},
      {"HEALTH_ENDPOINT_URL", "live\x01z", "HEALTH_ENDPOINT_URL='live?z'"},
      {"DRAIN_SETTLE_MS", "20000", "is longer than DRAIN_TIMEOUT_MS=10000"},
      {"OFFLINE_DATA_FILE", "x.json", "without OFFLINE=1"},
  };
  for (const Mistake& mistake : mistakes) {
    const LoadedConfig loaded = Load({{mistake.name, mistake.value}});
    if (*mistake.message == '\0') {
      EXPECT_THAT(loaded.violations, IsEmpty()) << mistake.name << "=" << mistake.value;
    } else {
      EXPECT_THAT(loaded.violations, ElementsAre(HasSubstr(mistake.message))) << mistake.name << "=" << mistake.value;
    }
  }
}

TEST(LoadConfigTest, AllViolationsAreReportedTogether) {
  EXPECT_THAT(Load({{"PORT", "x"}, {"LOG_LEVEL", "y"}, {"REDIS_DB", "z"}}).violations, SizeIs(3));
}

TEST(LoadConfigTest, LongValuesAreCutAndControlCharactersShown) {
  const LoadedConfig loaded = Load({{"PORT", std::string(500, 'x') + "\n"}});
  ASSERT_THAT(loaded.violations, SizeIs(1));
  EXPECT_LT(loaded.violations[0].size(), 200U);
  EXPECT_THAT(Load({{"PORT", "1\x01"}}).violations, ElementsAre(HasSubstr("'1?'")));
}

TEST(LoadConfigTest, TheKeyIsRequiredToServeOnly) {
  const Environment none;
  EXPECT_THAT(LoadConfig(none, Purpose::kServe, NoFiles).violations,
              ElementsAre(HasSubstr("SERVER_API_KEY is not set")));
  EXPECT_THAT(LoadConfig(none, Purpose::kDev, NoFiles).violations, IsEmpty());
  EXPECT_THAT(LoadConfig(none, Purpose::kClient, NoFiles).violations, IsEmpty());
  EXPECT_THAT(LoadConfig({{"OFFLINE", "1"}}, Purpose::kServe, NoFiles).violations, IsEmpty());
}

TEST(LoadConfigTest, DevListensOnLoopbackUnlessToldOtherwise) {
  EXPECT_EQ(LoadConfig({}, Purpose::kDev, NoFiles).config.listen_address, "127.0.0.1");
  EXPECT_EQ(LoadConfig({{"LISTEN_ADDRESS", "::"}}, Purpose::kDev, NoFiles).config.listen_address, "::");
}

TEST(LoadConfigTest, UrlsAreDerivedFromTheApiUrl) {
  const Config staging = Load({{"API_URL", "https://api-staging.stigg.io/"}}).config;
  EXPECT_EQ(staging.api_url, "https://api-staging.stigg.io");
  EXPECT_EQ(staging.edge_api_url, "https://edge.api-staging.stigg.io");
  EXPECT_EQ(staging.ws_url, "wss://api-staging.stigg.io");
  const Config local = Load({{"API_URL", "http://localhost:4000"}}).config;
  EXPECT_EQ(local.edge_api_url, "http://localhost:3060");
  EXPECT_EQ(local.ws_url, "ws://localhost:4000");
  const Config given = Load({{"API_URL", "https://a.example"}, {"EDGE_API_URL", "https://b.example"}}).config;
  EXPECT_EQ(given.edge_api_url, "https://b.example");
}

TEST(LoadConfigTest, SecretsAreReadFromFilesAndTrimmed) {
  const auto files = [](const std::string& path) -> absl::StatusOr<std::string> {
    if (path == "/secret") return std::string("  the-key\n");
    if (path == "/empty") return std::string("\n");
    return absl::NotFoundError("no such file");
  };
  const LoadedConfig loaded = LoadConfig({{"SERVER_API_KEY_FILE", "/secret"}}, Purpose::kServe, files);
  EXPECT_THAT(loaded.violations, IsEmpty());
  EXPECT_EQ(loaded.config.server_api_key.value, "the-key");
  EXPECT_EQ(loaded.config.server_api_key.file, "/secret");
  EXPECT_THAT(LoadConfig({{"SERVER_API_KEY_FILE", "/nowhere"}}, Purpose::kServe, files).violations,
              ElementsAre(HasSubstr("SERVER_API_KEY_FILE='/nowhere': no such file")));
  EXPECT_THAT(LoadConfig({{"SERVER_API_KEY_FILE", "/empty"}}, Purpose::kServe, files).violations,
              ElementsAre(HasSubstr("the file is empty")));
  EXPECT_THAT(Load({{"REDIS_PASSWORD", "x"}, {"REDIS_PASSWORD_FILE", "/secret"}}, Purpose::kServe, files).violations,
              ElementsAre("REDIS_PASSWORD and REDIS_PASSWORD_FILE are both set: keep one"));
}

TEST(LoadConfigTest, ProxiesAreReadInBothSpellings) {
  EXPECT_EQ(Load({{"https_proxy", "http://a:1"}}).config.https_proxy, "http://a:1");
  EXPECT_EQ(Load({{"https_proxy", "http://a:1"}, {"HTTPS_PROXY", "http://b:1"}}).config.https_proxy, "http://b:1");
}

struct BadProxy {
  const char* value;
  const char* why;
};

TEST(ProxyTest, AMistakeNamesTheVariableAndNeverThePassword) {
  const BadProxy mistakes[] = {
      {"https://user:canary@p:1", "(only http:// proxies are spoken to)"},
      {"socks5://canary@p:1", "(only http:// proxies are spoken to)"},
      {"user:canary@p:1", "(the scheme is missing)"},
      {"http://user:canary@:3128", "(the host is missing)"},
      {"http://:3128", "(the host is missing)"},
      {"http://", "(the host is missing)"},
      {"http://user:canary@p", "(the port is missing)"},
      {"http://canary", "(the port is missing)"},
      {"http://user:canary@p:port", "(the port is not 1 to 65535)"},
      {"http://user:canary@p:0", "(the port is not 1 to 65535)"},
      {"http://user:canary@p:1/path", "(a path does not belong there)"},
      {"http://user:canary@ho st:1", "(the host is missing or has characters that no host has)"},
  };
  for (const std::string name : {"HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"}) {
    for (const BadProxy& mistake : mistakes) {
      EXPECT_THAT(Load({{name, mistake.value}}).violations,
                  ElementsAre(name + " is not accepted: expected http://[user:password@]host:port " + mistake.why))
          << mistake.value;
    }
  }
}

TEST(ProxyTest, WhatIsAccepted) {
  for (const char* value : {"http://p:3128", "HTTP://p:3128", "http://10.0.0.1:80/", "http://[::1]:3128",
                            "http://user:p%40ss@proxy.example:3128", "http://user@p:1"}) {
    EXPECT_THAT(Load({{"HTTPS_PROXY", value}}).violations, IsEmpty()) << value;
  }
  EXPECT_EQ(Load({{"HTTP_PROXY", "HTTP://u:p@Host:80/"}}).config.http_proxy, "http://u:p@Host:80");
}

struct RedisMistake {
  const char* name;
  std::string value;
  bool accepted;
};

TEST(RedisSettingsTest, RangesAreThoseThatAreStated) {
  const RedisMistake cases[] = {
      {"REDIS_KEYS_TTL_IN_SECS", "0", false},
      {"REDIS_KEYS_TTL_IN_SECS", "1", true},
      {"REDIS_KEYS_TTL_IN_SECS", "-1", true},
      {"REDIS_KEYS_TTL_IN_SECS", "-604800", true},
      {"REDIS_KEYS_TTL_IN_SECS", "315360000", true},
      {"REDIS_KEYS_TTL_IN_SECS", "315360001", false},
      {"REDIS_ENVIRONMENT_PREFIX", "prod", true},
      {"REDIS_ENVIRONMENT_PREFIX", "a b", false},
      {"REDIS_ENVIRONMENT_PREFIX", "a\tb", false},
      {"REDIS_ENVIRONMENT_PREFIX",
       "a\x01"
       "b",
       false},
      {"REDIS_ENVIRONMENT_PREFIX", "prod:eu-1", true},
  };
  for (const RedisMistake& each : cases) {
    EXPECT_THAT(Load({{each.name, each.value}}).violations, SizeIs(each.accepted ? 0 : 1))
        << each.name << "=" << each.value;
  }
  EXPECT_THAT(Load({{"REDIS_KEYS_TTL_IN_SECS", "0"}}).violations,
              ElementsAre(HasSubstr("expected whole seconds, 1 to 315360000, or a negative number for no expiry")));
  EXPECT_THAT(Load({{"REDIS_ENVIRONMENT_PREFIX", "a b"}}).violations,
              ElementsAre("REDIS_ENVIRONMENT_PREFIX='a b' is not accepted: expected text without spaces and control "
                          "characters"));
}

TEST(GrpcSocketTest, HasRoomForThePathThatTheKernelTakes) {
  EXPECT_THAT(Load({{"GRPC_SOCKET", std::string(107, 'x')}}).violations, IsEmpty());
  EXPECT_THAT(Load({{"GRPC_SOCKET", std::string(108, 'x')}}).violations,
              ElementsAre(HasSubstr("is not accepted: expected a path of at most 107 bytes")));
}

TEST(FallbackSettingTest, EveryWrongEntryIsAViolation) {
  EXPECT_THAT(Load({{"ENTITLEMENTS_FALLBACK", R"({"a":{"hasAccess":"yes"},"b":{"hasAccess":true,"value":1.5},"c":1})"}})
                  .violations,
              ElementsAre("ENTITLEMENTS_FALLBACK is not accepted: a.hasAccess: expected true or false, got \"yes\"",
                          "ENTITLEMENTS_FALLBACK is not accepted: b.value: expected a whole number, -2147483647 to "
                          "2147483647, got 1.5",
                          HasSubstr("ENTITLEMENTS_FALLBACK is not accepted: c: expected an object {hasAccess")));
}

}  // namespace
}  // namespace sidecar
