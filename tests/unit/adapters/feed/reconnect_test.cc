// When the feed connects again, and how it stops.
#include <gmock/gmock.h>

#include <algorithm>

#include "adapters/feed/graphql_feed.h"
#include "support/feed_fixture.h"
#include "support/fixtures.h"

namespace sidecar {
namespace {

using ::testing::ElementsAre;
using testing::FakeConnector;
using testing::FeedTest;
using testing::FixedRandom;
using testing::Fixture;
using testing::RecordingSink;
using testing::SeededRandom;
using testing::SimTime;

TEST(ReconnectDelayTest, TheFirstIsBetweenHalfASecondAndEight) {
  FixedRandom lowest(0);
  FixedRandom highest(0.9999999);
  EXPECT_EQ(ReconnectDelay(lowest).Next(), Millis(500));
  EXPECT_GE(ReconnectDelay(highest).Next(), Millis(7'999));
  EXPECT_LE(ReconnectDelay(highest).Next(), Millis(8'000));
}

TEST(ReconnectDelayTest, LaterOnesReachUpToThreeTimesTheLastAndThirtySeconds) {
  FixedRandom highest(0.9999999);
  ReconnectDelay delay(highest);
  delay.Next();
  EXPECT_NEAR(static_cast<double>(delay.Next().count()), 24'000, 10);
  EXPECT_EQ(delay.Next(), Millis(30'000));
  EXPECT_EQ(delay.Next(), Millis(30'000));
  delay.Reset();
  EXPECT_LE(delay.Next(), Millis(8'000));
}

TEST(ReconnectDelayTest, LaterOnesAreNeverBelowHalfASecond) {
  FixedRandom lowest(0);
  ReconnectDelay delay(lowest);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(delay.Next(), Millis(500));
}

class EveryEndTest : public FeedTest, public ::testing::WithParamInterface<uint16_t> {};

TEST_P(EveryEndTest, ACloseOfTheServersIsFollowedByAnotherAttempt) {
  GoLive();
  peer().CloseWith(GetParam(), "for a reason");
  EXPECT_THAT(sink_.log, ElementsAre("live", "lost"));
  EXPECT_EQ(attempts(), 1U) << "not at once";
  time_.Advance(Millis(499));
  EXPECT_EQ(attempts(), 1U);
  time_.Advance(Millis(7'501));
  ASSERT_EQ(attempts(), 2U);
  OpenAndAck();
  EXPECT_EQ(peer().SentOf("subscribe").size(), 3U) << "all subscriptions are sent again";
  EXPECT_THAT(sink_.log, ElementsAre("live", "lost", "live"));
  EXPECT_EQ(Reconnects(FeedEndCause::kClosed), 1U);
}

INSTANTIATE_TEST_SUITE_P(Codes, EveryEndTest,
                         ::testing::Values(1000, 1001, 1005, 1006, 1011, 1012, 1013, 1014, 4004, 4005, 4400, 4401, 4403,
                                           4406, 4409, 4429, 4500),
                         [](const auto& code) { return std::to_string(code.param); });

TEST_F(FeedTest, ABrokenConnectionIsFollowedByAnotherAttempt) {
  GoLive();
  peer().Fail(absl::UnavailableError("reset"));
  EXPECT_FALSE(sink_.live);
  time_.Advance(Millis(8'000));
  EXPECT_EQ(attempts(), 2U);
  EXPECT_EQ(Reconnects(FeedEndCause::kLost), 1U);
}

TEST_F(FeedTest, AnAttemptThatFailsIsFollowedByAnother) {
  Start();
  for (size_t i = 1; i < 20; ++i) {
    ASSERT_EQ(attempts(), i);
    peer().Fail(absl::UnavailableError("refused"));
    time_.Advance(Millis(30'000));
  }
  EXPECT_EQ(Reconnects(FeedEndCause::kConnect), 19U);
  EXPECT_TRUE(sink_.log.empty());
}

TEST_F(FeedTest, OnlyAStableConnectionResetsTheDelay) {
  GoLive();  // random 0.5: 4.25 s, then 6.6 s, then 10.2 s, …
  const auto delay_after_living = [this](Millis life) {
    time_.Advance(life);
    const size_t before = attempts();
    peer().CloseWith(1001, "");
    const MonoTime start = time_.Now();
    while (attempts() == before) time_.Advance(Millis(10));
    OpenAndAck();
    return time_.Now() - start;
  };
  const Millis first = delay_after_living(Millis(1'000));
  const Millis second = delay_after_living(Millis(1'000));
  EXPECT_GT(second, first) << "an ack alone is no success";
  peer().Say(R"({"type":"pong"})");
  time_.Advance(Millis(15'000));
  peer().Say(R"({"type":"pong"})");
  EXPECT_EQ(delay_after_living(Millis(15'000)), first);
}

TEST_F(FeedTest, TheDelayIsNotResetBeforeThirtySeconds) {
  GoLive();
  peer().CloseWith(1001, "");
  time_.Advance(Millis(4'250));
  OpenAndAck();
  time_.Advance(Millis(15'000));
  peer().Say(R"({"type":"pong"})");
  time_.Advance(Millis(14'999));
  peer().CloseWith(1001, "");
  time_.Advance(Millis(6'000));
  EXPECT_EQ(attempts(), 2U);
}

/// A daemon with jitter of its own against a server that answers as the test says.
struct Daemon {
  explicit Daemon(uint64_t seed, SimTime& time)
      : random(seed),
        feed(connector, "ws://upstream", ProcessIdentity{}, [] { return std::string("key"); }, GenerationSetting::kV2,
             {time, time, random, metrics}) {}

  Metrics metrics;
  FakeConnector connector;
  SeededRandom random;
  RecordingSink sink;
  GraphqlFeed feed;
};

TEST(ReconnectTest, AgainstAServerThatClosesAfterOneSecondForEverAttemptsFallToTheCap) {
  constexpr uint64_t kSeeds = 20;
  size_t total = 0;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    SimTime time;
    Daemon daemon(seed, time);
    daemon.feed.Start(daemon.sink);
    time.Advance(Millis(0));
    size_t answered = 0;
    size_t settled_at = 0;
    for (int second = 0; second < 11 * 60; ++second) {
      if (second == 60) settled_at = daemon.connector.peers.size();
      auto& peers = daemon.connector.peers;
      if (answered > 0 && answered == peers.size() && !peers.back()->gone()) peers.back()->CloseWith(1001, "");
      if (answered < peers.size()) {
        answered = peers.size();
        peers.back()->Open();
        peers.back()->Say(R"({"type":"connection_ack"})");
      }
      time.Advance(Millis(1'000));
    }
    total += daemon.connector.peers.size() - settled_at;
    EXPECT_LE(daemon.connector.peers.size() - settled_at, 10U * 8) << "seed " << seed;
  }
  // Decorrelated jitter under a cap of 30 s waits about 20 s on average.
  EXPECT_LE(total, kSeeds * 10 * 4) << "per daemon and minute";
  EXPECT_GE(total, kSeeds * 10 * 1) << "and never gives up";
}

TEST(ReconnectTest, AThousandDaemonsSpreadOverAtLeastFiveSeconds) {
  constexpr size_t kDaemons = 1'000;
  SimTime time;
  std::vector<std::unique_ptr<Daemon>> daemons;
  for (size_t i = 0; i < kDaemons; ++i) {
    daemons.push_back(std::make_unique<Daemon>(i, time));
    daemons.back()->feed.Start(daemons.back()->sink);
  }
  time.Advance(Millis(0));
  for (const auto& daemon : daemons) {
    daemon->connector.peer().Open();
    daemon->connector.peer().Say(R"({"type":"connection_ack"})");
  }
  for (const auto& daemon : daemons) daemon->connector.peer().CloseWith(1012, "restart");
  std::vector<size_t> per_second;
  size_t before = 0;
  for (int second = 0; second < 9; ++second) {
    time.Advance(Millis(1'000));
    const auto back = static_cast<size_t>(
        std::ranges::count_if(daemons, [](const auto& daemon) { return daemon->connector.peers.size() == 2; }));
    per_second.push_back(back - before);
    before = back;
  }
  EXPECT_EQ(before, kDaemons);
  EXPECT_LE(std::ranges::max(per_second), kDaemons / 5);
  EXPECT_GE(std::ranges::count_if(per_second, [](size_t n) { return n > 0; }), 5);
}

TEST_F(FeedTest, ARejectedKeyIsCountedAndTriedAgainEveryFifteenSeconds) {
  GoLive();
  for (size_t rejected = 1; rejected <= 5; ++rejected) {
    peer().CloseWith(4403, "Invalid API key");
    EXPECT_EQ(metrics_.invalid_api_key_errors.value(), rejected);
    time_.Advance(Millis(14'999));
    EXPECT_EQ(attempts(), rejected);
    time_.Advance(Millis(1));
    ASSERT_EQ(attempts(), rejected + 1);
    peer().Open();
  }
  EXPECT_EQ(Reconnects(FeedEndCause::kInvalidKey), 5U);
  Ack();
  EXPECT_TRUE(sink_.live) << "it recovers by itself";
}

TEST_F(FeedTest, AnotherKeyIsTriedAtOnce) {
  Start();
  peer().Open();
  peer().CloseWith(4403, "Invalid API key");
  time_.Advance(Millis(1'000));
  key_ = "new-key";
  feed_.KeyChanged();
  Settle();
  ASSERT_EQ(attempts(), 2U);
  peer().Open();
  EXPECT_EQ(peer().sent[0]["payload"]["headers"]["X-API-KEY"], "new-key");
  time_.Advance(Millis(14'000));
  EXPECT_EQ(attempts(), 2U) << "the retry of the old key is gone";
}

TEST_F(FeedTest, AKeyThatChangedWhileTheOldOneWasOnItsWayIsTriedAtOnce) {
  Start();
  peer().Open();
  key_ = "new-key";
  feed_.KeyChanged();
  Settle();
  peer().CloseWith(4403, "Invalid API key");
  Settle();
  EXPECT_EQ(attempts(), 2U);
}

TEST_F(FeedTest, AChangedKeyDropsNoConnectionAndHurriesNoOtherRetry) {
  GoLive();
  feed_.KeyChanged();
  Settle();
  EXPECT_TRUE(sink_.live);
  peer().CloseWith(1001, "");
  feed_.KeyChanged();
  Settle();
  EXPECT_EQ(attempts(), 1U);
}

TEST_F(FeedTest, StopCompletesEachSubscriptionAndCloses) {
  GoLive();
  bool done = false;
  feed_.Stop([&] { done = true; });
  Settle();
  EXPECT_EQ(peer().SentOf("complete").size(), 3U);
  ASSERT_TRUE(peer().close.has_value());
  EXPECT_EQ(*peer().close, (std::pair<uint16_t, std::string>(1000, "Normal Closure")));
  EXPECT_FALSE(done) << "the peer has not answered";
  peer().CloseWith(1000, "Normal Closure");
  EXPECT_TRUE(done);
  EXPECT_THAT(sink_.log, ElementsAre("live")) << "the last OnLive has no OnLost";
  EXPECT_EQ(feed_.status().state, FeedStatus::State::kStopped);
  time_.Advance(Millis(600'000));
  EXPECT_EQ(attempts(), 1U);
  EXPECT_EQ(time_.pending_timers(), 0U);
}

TEST_F(FeedTest, AConnectionThatFailsWhileStoppingStopsToo) {
  GoLive();
  bool done = false;
  feed_.Stop([&] { done = true; });
  Settle();
  peer().Fail(absl::DeadlineExceededError("no answer to the close"));
  EXPECT_TRUE(done);
}

TEST_F(FeedTest, NothingIsDeliveredAfterStopBegan) {
  GoLive();
  const std::string id = peer().IdOf("OnPackagePublished");
  feed_.Stop([] {});
  Settle();
  Json late = *ParseJson(Fixture("ws-package-published.json"));
  late["id"] = id;
  peer().Say(late.dump());
  EXPECT_TRUE(sink_.pushes.empty());
}

TEST_F(FeedTest, StopsWhileConnecting) {
  Start();
  bool done = false;
  feed_.Stop([&] { done = true; });
  Settle();
  ASSERT_TRUE(peer().close.has_value());
  peer().Fail(absl::CancelledError(""));
  EXPECT_TRUE(done);
}

TEST_F(FeedTest, StopsWhileWaitingToConnect) {
  GoLive();
  peer().CloseWith(1001, "");
  bool done = false;
  feed_.Stop([&] { done = true; });
  Settle();
  EXPECT_TRUE(done);
  time_.Advance(Millis(600'000));
  EXPECT_EQ(attempts(), 1U);
}

TEST_F(FeedTest, StopsBeforeItStarted) {
  bool done = false;
  feed_.Stop([&] { done = true; });
  Settle();
  EXPECT_TRUE(done);
  EXPECT_EQ(attempts(), 0U);
}

TEST_F(FeedTest, StartsAgainAfterItHasStopped) {
  GoLive();
  bool done = false;
  feed_.Stop([&] { done = true; });
  Settle();
  peer().CloseWith(1000, "");
  ASSERT_TRUE(done);
  feed_.Start(sink_);
  Settle();
  EXPECT_EQ(attempts(), 2U);
}

TEST_F(FeedTest, EveryStopIsAnswered) {
  GoLive();
  int done = 0;
  feed_.Stop([&] { ++done; });
  feed_.Stop([&] { ++done; });
  Settle();
  peer().CloseWith(1000, "");
  EXPECT_EQ(done, 2);
  feed_.Stop([&] { ++done; });
  Settle();
  EXPECT_EQ(done, 3);
}

}  // namespace
}  // namespace sidecar
