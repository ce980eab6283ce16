#include "dev/faults.h"

#include <gtest/gtest.h>

#include "support/status_matchers.h"

namespace sidecar::dev {
namespace {

using testing::FailsWith;
using testing::IsOk;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

absl::StatusOr<Fault> Parse(std::string_view text) { return Faults::Parse(*ParseJson(text)); }

TEST(FaultsTest, ReadsAFaultOfAWebSocket) {
  const auto fault = Parse(R"({"fault":"close","channel":"websocket","code":4403,"reason":"why","times":2})");
  ASSERT_THAT(fault, IsOk());
  EXPECT_EQ(fault->kind, Fault::Kind::kClose);
  EXPECT_EQ(fault->channel, Channel::kWebSocket);
  EXPECT_EQ(fault->code, 4403);
  EXPECT_EQ(fault->reason, "why");
  EXPECT_EQ(fault->times, 2);
}

TEST(FaultsTest, KindsBelongToChannels) {
  for (const char* text :
       {R"({"fault":"refuse","channel":"websocket"})", R"({"fault":"error","channel":"websocket"})",
        R"({"fault":"bad-json","channel":"websocket"})", R"({"fault":"silent"})", R"({"fault":"close"})"}) {
    EXPECT_THAT(Parse(text), IsOk()) << text;
  }
  EXPECT_THAT(Parse(R"({"fault":"refuse"})"), FailsWith(kInvalid, "with channel websocket close, bad-json"));
  EXPECT_THAT(Parse(R"({"fault":"error","channel":"edge"})"), FailsWith(kInvalid, "'error' is not known"));
  EXPECT_THAT(Parse(R"({"fault":"delay","channel":"websocket"})"), FailsWith(kInvalid, "not known on a websocket"));
  EXPECT_THAT(Parse(R"({"fault":"close","channel":"pigeon"})"), FailsWith(kInvalid, "edge, graphql or websocket"));
}

TEST(FaultsTest, OnlyCodesAndReasonsThatMayBeSent) {
  for (const int code : {0, 999, 1004, 1005, 1006, 1015, 5000}) {
    EXPECT_THAT(Parse(R"({"fault":"close","channel":"websocket","code":)" + std::to_string(code) + "}"),
                FailsWith(kInvalid, "close code"));
  }
  EXPECT_THAT(Parse(R"({"fault":"close","channel":"websocket","reason":")" + std::string(124, 'x') + "\"}"),
              FailsWith(kInvalid, "at most 123 bytes"));
}

TEST(FaultsTest, HttpAndWebSocketDoNotTakeEachOthers) {
  Faults faults;
  faults.Add(*Parse(R"({"fault":"close","channel":"websocket","times":1})"));
  EXPECT_FALSE(faults.Take(Channel::kGraphql).has_value());
  EXPECT_FALSE(faults.TakeOnWebSocket(Fault::Kind::kSilent).has_value());
  EXPECT_TRUE(faults.TakeOnWebSocket(Fault::Kind::kClose).has_value());
  EXPECT_FALSE(faults.TakeOnWebSocket(Fault::Kind::kClose).has_value()) << "once";
  faults.Add(*Parse(R"({"fault":"close"})"));
  EXPECT_FALSE(faults.TakeOnWebSocket(Fault::Kind::kClose).has_value()) << "without a channel: HTTP";
  EXPECT_TRUE(faults.Take(Channel::kEdge).has_value());
}

}  // namespace
}  // namespace sidecar::dev
