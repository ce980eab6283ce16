#include "dev/faults.h"

#include <gtest/gtest.h>

#include "support/status_matchers.h"

namespace sidecar::dev {
namespace {

using testing::FailsWith;
using testing::IsOk;

using testing::kInvalid;

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

struct Nonsense {
  const char* text;
  const char* message;
};

TEST(FaultsTest, NonsenseIsRefusedWithMemberValueAndWhatIsAccepted) {
  const Nonsense cases[] = {
      {R"({"fault":"status","status":99})", "status: expected a whole number, 100 to 599, got 99"},
      {R"({"fault":"status","status":600})", "status: expected a whole number, 100 to 599, got 600"},
      {R"({"fault":"status","status":"500"})", R"(status: expected a whole number, 100 to 599, got "500")"},
      {R"({"fault":"status","status":500.5})", "got 500.5"},
      {R"({"fault":"refuse","channel":"websocket","status":1})", "status: expected a whole number, 100 to 599, got 1"},
      {R"({"fault":"close","times":0})", "times: expected a whole number, 1 to 1000000000, got 0"},
      {R"({"fault":"close","times":-1})", "times: expected a whole number, 1 to 1000000000, got -1"},
      {R"({"fault":"close","times":1.5})", "got 1.5"},
      {R"({"fault":"delay","delayMs":-1})", "delayMs: expected a whole number, 0 to 600000, got -1"},
      {R"({"fault":"delay","delayMs":600001})", "delayMs: expected a whole number, 0 to 600000, got 600001"},
      {R"({"fault":"delay"})", "delayMs: expected a whole number, 0 to 600000, got nothing"},
      {R"({"fault":"status","retryAfterSecs":-1})", "retryAfterSecs: expected a whole number, 0 to 86400, got -1"},
      {R"({"fault":"status","staus":500})",
       "staus: is not known of this fault (got 500); expected fault, channel, times, status, retryAfterSecs"},
      {R"({"fault":"silent","delayMs":5})",
       "delayMs: is not known of this fault (got 5); expected fault, channel, times"},
      {R"({"fault":"close","code":1000})", "code: is not known of this fault"},
      {R"({"fault":"close","channel":"websocket","code":99})", "not 1004 to 1006 nor 1015, got 99"},
      {R"({"fault":"status","channel":5})", "channel: expected a string, got a number"},
      {R"([])", "expected an object, got an array"},
  };
  for (const Nonsense& nonsense : cases) {
    EXPECT_THAT(Parse(nonsense.text), FailsWith(kInvalid, nonsense.message)) << nonsense.text;
  }
}

TEST(FaultsTest, ReadsTheEndsOfEachRange) {
  for (const char* text :
       {R"({"fault":"status","status":100})", R"({"fault":"status","status":599,"retryAfterSecs":86400})",
        R"({"fault":"delay","delayMs":0})", R"({"fault":"delay","delayMs":600000})", R"({"fault":"close","times":1})",
        R"({"fault":"close","times":null,"channel":null})"}) {
    EXPECT_THAT(Parse(text), IsOk()) << text;
  }
}

TEST(FaultsTest, AreListedWithAllMembersAndReadBackAsTheSame) {
  Faults faults;
  for (const char* text : {R"({"fault":"status","channel":"edge","times":3})", R"({"fault":"delay","delayMs":5})",
                           R"({"fault":"reset"})", R"({"fault":"close","channel":"websocket","reason":"why"})"}) {
    faults.Add(*Parse(text));
  }
  EXPECT_EQ(faults.List().dump(),
            R"([{"fault":"status","channel":"edge","times":3,"status":503,"retryAfterSecs":0},)"
            R"({"fault":"delay","channel":null,"times":null,"delayMs":5},)"
            R"({"fault":"reset","channel":null,"times":null},)"
            R"({"fault":"close","channel":"websocket","times":null,"code":1012,"reason":"why"}])");
  Faults again;
  for (const Json& fault : faults.List()) again.Add(*Faults::Parse(fault));
  EXPECT_EQ(again.List(), faults.List());
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
