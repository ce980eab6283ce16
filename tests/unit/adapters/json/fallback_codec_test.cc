#include "adapters/json/fallback_codec.h"

#include <gtest/gtest.h>

#include "support/fixtures.h"
#include "support/status_matchers.h"

namespace sidecar {
namespace {

using testing::FailsWith;
using testing::Fixture;
using testing::IsOk;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST(ParseFallbacksTest, ReadsTheFixture) {
  const auto table = ParseFallbacks(Fixture("offline-entitlements-fallback.json"));
  ASSERT_THAT(table, IsOk());
  ASSERT_EQ(table->entries().size(), 5U);
  EXPECT_EQ(table->entries()[0].feature_id, "feature-sso");
  EXPECT_EQ(table->Find("feature-upload-size")->value, 100);
  EXPECT_EQ(table->Find("feature-seats")->usage_limit, 3);
  EXPECT_EQ(table->Find("feature-storage")->unlimited, true);
  EXPECT_EQ(table->Find("feature-regions")->enum_values, std::vector<std::string>{"eu-central"});
}

TEST(ParseFallbacksTest, IgnoresMembersItDoesNotKnow) {
  EXPECT_THAT(ParseFallbacks(R"({"f":{"hasAccess":true,"note":"x"}})"), IsOk());
}

struct Mistake {
  const char* text;
  const char* message;
};

TEST(ParseFallbacksTest, SaysWhatIsWrongAndWhere) {
  const Mistake mistakes[] = {
      {"", "not valid JSON"},
      {"{'f':{}}", "use double quotes"},
      {R"({"f":{"hasAccess":true},})", "remove the comma"},
      {"[]", "expected a JSON object of feature id -> fallback, got an array"},
      {R"({"f":true})", "f: expected an object, got a boolean"},
      {R"({"f":{}})", "f.hasAccess: expected true or false, got nothing"},
      {R"({"f":{"hasAccess":"yes"}})", "f.hasAccess: expected true or false, got a string"},
      {R"({"f":{"hasAccess":true,"value":1.5}})", "f.value: expected a whole number within 32 bits"},
      {R"({"f":{"hasAccess":true,"value":3000000000}})", "f.value"},
      {R"({"f":{"hasAccess":true,"usageLimit":"5"}})", "f.usageLimit: expected a number"},
      {R"({"f":{"hasAccess":true,"enumValues":[1]}})", "f.enumValues: expected strings"},
      {R"({"f":{"hasAccess":true,"usageLimit":1e999}})", "not valid JSON"},
  };
  for (const Mistake& mistake : mistakes) {
    EXPECT_THAT(ParseFallbacks(mistake.text), FailsWith(kInvalid, mistake.message)) << mistake.text;
  }
}

TEST(ParseFallbacksTest, CapsNesting) {
  EXPECT_THAT(ParseFallbacks(std::string(100, '[') + std::string(100, ']')), FailsWith(kInvalid, "64 levels"));
}

}  // namespace
}  // namespace sidecar
