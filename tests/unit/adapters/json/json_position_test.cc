#include "adapters/json/json_position.h"

#include <gtest/gtest.h>

#include "support/status_matchers.h"

namespace sidecar {
namespace {

using testing::FailsWith;

using testing::kInvalid;

TEST(DescribeSyntaxErrorTest, NamesThePlaceAndTheMend) {
  EXPECT_TRUE(DescribeSyntaxError("{\"a\": 1}").ok());
  EXPECT_THAT(DescribeSyntaxError("{'a': 1}"),
              FailsWith(kInvalid, "line 1, column 2: unexpected '''; use double quotes"));
  EXPECT_THAT(DescribeSyntaxError("{\n  \"a\": 1,\n}"),
              FailsWith(kInvalid, "line 3, column 1: unexpected '}'; remove the comma"));
  EXPECT_THAT(DescribeSyntaxError("[1, ]"), FailsWith(kInvalid, "remove the comma"));
  EXPECT_THAT(DescribeSyntaxError("{\n// note\n}"), FailsWith(kInvalid, "JSON has no comments"));
  EXPECT_THAT(DescribeSyntaxError("{\"a\": "), FailsWith(kInvalid, "unexpected the end"));
  EXPECT_THAT(DescribeSyntaxError(""), FailsWith(kInvalid, "line 1"));
}

TEST(LineOfTest, FindsTheLineOfAValue) {
  const char* const text = R"({
  "a": [
    1,
    2
  ],
  "b": {
    "c/d": "x",
    "e~f": {
      "g": true
    }
  },
  "h":
    5
})";
  EXPECT_EQ(LineOf(text, ""), 1U);
  EXPECT_EQ(LineOf(text, "/a"), 2U);
  EXPECT_EQ(LineOf(text, "/a/0"), 3U);
  EXPECT_EQ(LineOf(text, "/a/1"), 4U);
  EXPECT_EQ(LineOf(text, "/b"), 6U);
  EXPECT_EQ(LineOf(text, "/b/c~1d"), 7U);
  EXPECT_EQ(LineOf(text, "/b/e~0f/g"), 9U);
  EXPECT_EQ(LineOf(text, "/h"), 13U);
  EXPECT_EQ(LineOf(text, "/nothing"), std::nullopt);
}

TEST(DescribeSyntaxErrorTest, ANumberBeyondEveryDoubleIsNotAWrongCharacter) {
  EXPECT_THAT(DescribeSyntaxError("{\"a\":\n1e999}"),
              FailsWith(kInvalid, "line 2, column 5: a number beyond the range of a double"));
}

TEST(RepeatedMembersTest, AreFoundWithPathAndLine) {
  const auto found = RepeatedMembers("{\"a\": 1,\n \"b\": [{}, {\"c/d\": 1,\n \"c/d\": 2}],\n \"a\": {\"b\": 1}}");
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].path, (std::vector<std::string>{"b", "1", "c/d"}));
  EXPECT_EQ(found[0].pointer, "/b/1/c~1d");
  EXPECT_EQ(found[0].line, 3U);
  EXPECT_EQ(found[1].path, std::vector<std::string>{"a"});
  EXPECT_EQ(found[1].line, 4U);
  EXPECT_TRUE(RepeatedMembers(R"({"a":{"x":1},"b":{"x":1},"c":[{"x":1},{"x":2}]})").empty());
}

}  // namespace
}  // namespace sidecar
