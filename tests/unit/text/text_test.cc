#include "text/text.h"

#include <gtest/gtest.h>

namespace sidecar {
namespace {

TEST(Text, ConcatenatesTextsAndNumbers) {
  EXPECT_EQ(StrCat("a", std::string("b"), std::string_view("c"), 1, -2, 0.1, 'x', true), "abc1-20.1xtrue");
  EXPECT_EQ(StrCat(), "");
}

TEST(Text, ComparesWithoutCase) {
  EXPECT_TRUE(EqualsIgnoreCase("Retry-After", "retry-AFTER"));
  EXPECT_FALSE(EqualsIgnoreCase("a", "ab"));
  EXPECT_TRUE(EndsWithIgnoreCase("host/API", "/api"));
  EXPECT_FALSE(EndsWithIgnoreCase("i", "api"));
}

TEST(Text, StripsWhitespace) {
  EXPECT_EQ(StripWhitespace(" \t a b\r\n"), "a b");
  EXPECT_EQ(StripWhitespace(" \n "), "");
}

TEST(Text, ReplacesAndSplitsAndJoins) {
  EXPECT_EQ(ReplaceAll("a/b//c", "/", "~1"), "a~1b~1~1c");
  EXPECT_EQ(Split("a,,b", ','), (std::vector<std::string_view>{"a", "", "b"}));
  EXPECT_EQ(Split("", ','), std::vector<std::string_view>{""});
  EXPECT_EQ(Join(std::vector<std::string>{"a", "b"}, ", "), "a, b");
}

TEST(Text, ParsesWholeTextsOnly) {
  EXPECT_EQ(ParseNumber<int>("42"), 42);
  EXPECT_EQ(ParseNumber<double>("1.5e3"), 1500);
  EXPECT_EQ(ParseNumber<int>("42 "), std::nullopt);
  EXPECT_EQ(ParseNumber<int>(""), std::nullopt);
  EXPECT_EQ(ParseNumber<uint16_t>("65536"), std::nullopt);
  EXPECT_EQ(ParseNumber<uint16_t>("-1"), std::nullopt);
}

TEST(Text, WritesHexAndCase) {
  EXPECT_EQ(Hex(std::string_view("\x00\xff\x10", 3)), "00ff10");
  EXPECT_EQ(ToLower("TrUe"), "true");
  EXPECT_EQ(ToUpper("month"), "MONTH");
}

}  // namespace
}  // namespace sidecar
