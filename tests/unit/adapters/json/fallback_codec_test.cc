#include "adapters/json/fallback_codec.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "support/fixtures.h"
#include "support/status_matchers.h"

namespace sidecar {
namespace {

using testing::FailsWith;
using testing::Fixture;
using testing::IsOk;

using testing::kInvalid;

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
      {"[]",
       "expected a JSON object of feature id -> {hasAccess, value?, usageLimit?, isUnlimited?, enumValues?}, got []"},
      {"{'f':{}}", "expected a JSON object of feature id -> {hasAccess"},
      {R"({"f":true})", "f: expected an object {hasAccess, value?, usageLimit?, isUnlimited?, enumValues?}, got true"},
      {R"({"f":{}})", "f.hasAccess: expected true or false, got nothing"},
      {R"({"f":{"hasAccess":"yes"}})", R"(f.hasAccess: expected true or false, got "yes")"},
      {R"({"f":{"hasAccess":true,"isUnlimited":1}})", "f.isUnlimited: expected true or false, got 1"},
      {R"({"f":{"hasAccess":true,"value":1.5}})",
       "f.value: expected a whole number, -2147483647 to 2147483647, got 1.5"},
      {R"({"f":{"hasAccess":true,"value":3000000000}})", "2147483647, got 3000000000"},
      {R"({"f":{"hasAccess":true,"value":"1"}})",
       R"(f.value: expected a whole number, -2147483647 to 2147483647, got "1")"},
      {R"({"f":{"hasAccess":true,"usageLimit":"5"}})", R"(f.usageLimit: expected a number, got "5")"},
      {R"({"f":{"hasAccess":true,"enumValues":["a",1]}})",
       R"(f.enumValues: expected an array of strings, got ["a",1])"},
      {R"({"f":{"hasAccess":true,"enumValues":"a"}})", R"(f.enumValues: expected an array of strings, got "a")"},
      {R"({"f":{"hasAccess":true,"usageLimit":1e999}})", "not valid JSON"},
      {R"({"f":{"hasAccess":true},"g":{"hasAccess":true},"f":{"hasAccess":false}})",
       "f: expected once, got it again at line 1"},
      {"{\"f\":{\"hasAccess\":true,\n\"hasAccess\":false}}", "f.hasAccess: expected once, got it again at line 2"},
  };
  for (const Mistake& mistake : mistakes) {
    EXPECT_THAT(ParseFallbacks(mistake.text), FailsWith(kInvalid, mistake.message)) << mistake.text;
  }
}

std::string MessageOf(std::string_view text) { return std::string(ParseFallbacks(text).status().message()); }

TEST(ParseFallbacksTest, EveryMistakeIsToldAtOnce) {
  EXPECT_EQ(MessageOf(R"({"a":{"hasAccess":1,"value":"x"},"b":{"hasAccess":true},"c":[],"a":{"hasAccess":true}})"),
            "a: expected once, got it again at line 1\n"
            "c: expected an object {hasAccess, value?, usageLimit?, isUnlimited?, enumValues?}, got []");
  EXPECT_EQ(MessageOf(R"({"a":{"hasAccess":1,"value":"x"},"b":{"hasAccess":true,"usageLimit":[]}})"),
            "a.hasAccess: expected true or false, got 1\n"
            R"(a.value: expected a whole number, -2147483647 to 2147483647, got "x")"
            "\n"
            "b.usageLimit: expected a number, got []");
}

TEST(ParseFallbacksTest, AMessageIsBoundedAndPrintable) {
  std::string text = "{";
  for (int i = 0; i < 50; ++i) text += (i == 0 ? "\"f" : ",\"f") + std::to_string(i) + "\":0";
  const std::string message = MessageOf(text + "}");
  EXPECT_EQ(std::count(message.begin(), message.end(), '\n'), 20);
  EXPECT_TRUE(message.ends_with("\nand 30 more")) << message;
  EXPECT_LT(MessageOf("{\"" + std::string(5000, 'x') + "\":\"" + std::string(5000, 'y') + "\"}").size(), 300U);
  EXPECT_EQ(MessageOf(R"({"a\u001b\n":{}})"), "a\\u001b\\n.hasAccess: expected true or false, got nothing");
}

TEST(FormatFallbacksTest, ReadsBackAsTheSame) {
  const std::string text = R"({"b":{"hasAccess":true,"value":100},"a":{"hasAccess":false,"usageLimit":2.5,)"
                           R"("isUnlimited":false,"enumValues":["x","ü"]}})";
  EXPECT_EQ(FormatFallbacks(*ParseFallbacks(text)), text);
  EXPECT_EQ(FormatFallbacks({}), "");
}

TEST(ParseFallbacksTest, CapsNesting) {
  EXPECT_THAT(ParseFallbacks(std::string(100, '[') + std::string(100, ']')), FailsWith(kInvalid, "64 levels"));
}

}  // namespace
}  // namespace sidecar
