#include "app/options.h"

#include <gtest/gtest.h>

#include "support/status_matchers.h"

namespace sidecar {
namespace {

using testing::FailsWith;

using testing::kInvalid;

TEST(ParseArgumentsTest, SplitsOptionsFromTheRest) {
  const auto parsed = ParseArguments({"c", "--resource", "r", "f", "--requested=2"}, {"--resource", "--requested"});
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->positional, (std::vector<std::string>{"c", "f"}));
  EXPECT_EQ(parsed->Option("--resource"), "r");
  EXPECT_EQ(parsed->Option("--requested"), "2");
  EXPECT_EQ(parsed->Option("--other"), "");
}

TEST(ParseArgumentsTest, NamesWhatIsWrong) {
  EXPECT_THAT(ParseArguments({"--x"}, {"--data"}), FailsWith(kInvalid, "--x is not an option here; known are --data"));
  EXPECT_THAT(ParseArguments({"--data"}, {"--data"}), FailsWith(kInvalid, "--data needs a value"));
}

}  // namespace
}  // namespace sidecar
