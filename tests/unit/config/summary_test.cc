// What check-config and the start of the log say is in force.
#include "config/summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "text/text.h"

namespace sidecar {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

absl::StatusOr<std::string> KeyFile(const std::string&) { return std::string("canary-from-file"); }

std::vector<std::string> Summary(const Environment& environment, Purpose purpose = Purpose::kServe) {
  return Summarize(LoadConfig(environment, purpose, KeyFile));
}

TEST(SummaryTest, EverySettingIsALineThatSaysWhereItsValueComesFrom) {
  const std::vector<std::string> lines = Summary({{"PORT", " 9000 "}, {"LOG_LEVEL", "INFO"}});
  EXPECT_THAT(lines, SizeIs(Settings().size()));
  EXPECT_THAT(lines, Contains("PORT=9000 (set)"));
  EXPECT_THAT(lines, Contains("LOG_LEVEL=info (set)"));
  EXPECT_THAT(lines, Contains("HTTP_PORT=8080 (default)"));
  EXPECT_THAT(lines, Contains("GRPC_PORT=0 (default)"));
  EXPECT_THAT(lines, Contains("API_URL=https://api.stigg.io (default)"));
  EXPECT_THAT(lines, Contains("EDGE_API_URL=https://edge.api.stigg.io (default)"));
  EXPECT_THAT(lines, Contains("EXTRA_CA_FILE= (default)"));
  EXPECT_THAT(lines, Contains("LISTEN_ADDRESS=:: (default)"));
  EXPECT_THAT(lines, Contains("HEALTH_ENDPOINT_URL=/livez (default)"));
  EXPECT_THAT(lines, Contains("REDIS_KEYS_TTL_IN_SECS=604800 (default)"));
  EXPECT_THAT(lines, Contains("EDGE_ENABLED=1 (default)"));
  EXPECT_THAT(lines, Contains("UPSTREAM_API=auto (default)"));
  EXPECT_THAT(lines, Contains("ENTITLEMENTS_TTL_SECS=30 (default)"));
}

TEST(SummaryTest, EveryDefaultIsWhatTheReferenceSays) {
  const LoadedConfig loaded = LoadConfig({{"OFFLINE", "1"}}, Purpose::kServe, KeyFile);
  for (const Setting& setting : Settings()) {
    if (setting.name == "OFFLINE" || setting.secret) continue;
    const std::string shown = setting.codec.show(loaded.config);
    if (shown.empty() || setting.name.ends_with("_ENDPOINT_URL")) continue;
    const bool in_words = setting.default_text.starts_with("derived") || setting.default_text.starts_with("half") ||
                          setting.default_text.starts_with("off") || setting.default_text.starts_with("none");
    EXPECT_TRUE(in_words || setting.default_text.starts_with(shown)) << setting.name << ": " << shown;
  }
}

TEST(SummaryTest, DerivedAddressesAreRealOnes) {
  const std::vector<std::string> lines = Summary({{"API_URL", "https://api-staging.stigg.io/"}});
  EXPECT_THAT(lines, Contains("API_URL=https://api-staging.stigg.io (set)"));
  EXPECT_THAT(lines, Contains("EDGE_API_URL=https://edge.api-staging.stigg.io (derived from API_URL)"));
  EXPECT_THAT(lines, Contains("WS_URL=wss://api-staging.stigg.io (derived from API_URL)"));
  EXPECT_THAT(Summary({{"API_URL", "https://a.example"}, {"WS_URL", "ws://b.example"}}),
              Contains("WS_URL=ws://b.example (set)"));
}

TEST(SummaryTest, LowerCaseProxiesCountAndSayTheirName) {
  EXPECT_THAT(Summary({{"https_proxy", "http://p:1"}, {"no_proxy", "a,b"}}),
              ::testing::AllOf(Contains("HTTPS_PROXY=http://p:1 (set as https_proxy)"),
                               Contains("NO_PROXY=a,b (set as no_proxy)")));
}

TEST(SummaryTest, ShowsNoSecret) {
  const std::string summary = Join(Summary({{"SERVER_API_KEY", "canary-1"},
                                            {"REDIS_PASSWORD_FILE", "/secrets/redis"},
                                            {"HTTPS_PROXY", "http://user:canary-3@p:1"},
                                            {"http_proxy", "http://canary-4@p:1"}}),
                                   "\n");
  EXPECT_THAT(summary, Not(HasSubstr("canary")));
  EXPECT_THAT(summary, HasSubstr("SERVER_API_KEY=*** (set)\n"));
  EXPECT_THAT(summary, HasSubstr("REDIS_PASSWORD=*** (set as REDIS_PASSWORD_FILE=/secrets/redis)\n"));
  EXPECT_THAT(summary, HasSubstr("HTTPS_PROXY=http://***@p:1 (set)\n"));
  EXPECT_THAT(summary, HasSubstr("HTTP_PROXY=http://***@p:1 (set as http_proxy)\n"));
  EXPECT_THAT(Summary({}), Contains("SERVER_API_KEY= (default)"));
}

TEST(SummaryTest, FallbacksAreShownAsTheyWereUnderstood) {
  EXPECT_THAT(Summary({{"ENTITLEMENTS_FALLBACK", R"({ "a": {"hasAccess": true, "note": 1}, "b": {"hasAccess":false,
                        "usageLimit": 2.5, "isUnlimited": false, "enumValues": ["x"]} })"}}),
              Contains(R"(ENTITLEMENTS_FALLBACK={"a":{"hasAccess":true},"b":{"hasAccess":false,"usageLimit":2.5,)"
                       R"("isUnlimited":false,"enumValues":["x"]}} (set))"));
}

TEST(SummaryTest, ControlCharactersAreNotPrinted) {
  EXPECT_THAT(Summary({{"REDIS_HOST", "a\x1b[31m"}}), Contains("REDIS_HOST=a?[31m (set)"));
}

TEST(SummaryTest, DevSaysItsOwnAddress) {
  EXPECT_THAT(Summary({}, Purpose::kDev), Contains("LISTEN_ADDRESS=127.0.0.1 (default)"));
}

TEST(ReferenceTest, NamesEverySetting) {
  const std::string help = HelpText();
  const std::string markdown = MarkdownReference();
  for (const Setting& setting : Settings()) {
    EXPECT_THAT(help, HasSubstr(std::string(setting.name)));
    EXPECT_THAT(markdown, HasSubstr("`" + std::string(setting.name) + "`"));
  }
}

}  // namespace
}  // namespace sidecar
