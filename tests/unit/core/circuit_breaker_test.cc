#include "core/circuit_breaker.h"

#include <gtest/gtest.h>

#include <vector>

#include "core/guarded_source.h"
#include "support/builders.h"
#include "support/fake_source.h"
#include "support/sim_clock.h"

namespace sidecar {
namespace {

using testing::FakeSource;
using testing::SimTime;

class BreakerTest : public ::testing::Test {
 protected:
  void Fail(int times) {
    for (int i = 0; i < times; ++i) breaker_.NoteFailure(std::nullopt);
  }
  void EndProbe(bool ok) {
    CircuitBreaker::ProbeDone done = std::move(probes_.back());
    probes_.pop_back();
    std::move(done)(ok);
  }

  SimTime time_;
  std::vector<CircuitBreaker::ProbeDone> probes_;
  CircuitBreaker breaker_{
      time_, time_, {}, [this](CircuitBreaker::ProbeDone done) { probes_.push_back(std::move(done)); }};
};

TEST_F(BreakerTest, OpensAfterFiveFailuresInARow) {
  Fail(4);
  breaker_.NoteSuccess();
  Fail(4);
  EXPECT_FALSE(breaker_.open());
  Fail(1);
  EXPECT_TRUE(breaker_.open());
  EXPECT_EQ(breaker_.state().opened, 1U);
}

TEST_F(BreakerTest, ProbesAfterASecondAndThenTwiceAsLateUpToFifteen) {
  Fail(5);
  for (const int seconds : {1, 2, 4, 8, 15, 15}) {
    time_.Advance(Millis(seconds * 1000 - 1));
    EXPECT_TRUE(probes_.empty()) << seconds;
    time_.Advance(Millis(1));
    ASSERT_EQ(probes_.size(), 1U) << seconds;
    EndProbe(false);
    EXPECT_TRUE(breaker_.open());
  }
}

TEST_F(BreakerTest, AProbeThatSucceedsClosesIt) {
  Fail(5);
  time_.Advance(Millis(1'000));
  EndProbe(true);
  EXPECT_FALSE(breaker_.open());
  EXPECT_EQ(time_.pending_timers(), 0U);
  Fail(4);
  EXPECT_FALSE(breaker_.open()) << "the count began anew";
  Fail(1);
  time_.Advance(Millis(1'000));
  EXPECT_EQ(probes_.size(), 1U) << "and so did the delay";
}

TEST_F(BreakerTest, OneProbeAtATime) {
  Fail(5);
  time_.Advance(Millis(60'000));
  EXPECT_EQ(probes_.size(), 1U);
}

TEST_F(BreakerTest, RequestsThatWereUnderWayDoNotCloseIt) {
  Fail(5);
  breaker_.NoteSuccess();
  EXPECT_TRUE(breaker_.open());
}

TEST_F(BreakerTest, RetryAfterOpensAtOnceAndIsWaitedFor) {
  breaker_.NoteFailure(Millis(30'000));
  EXPECT_TRUE(breaker_.open());
  time_.Advance(Millis(29'999));
  EXPECT_TRUE(probes_.empty());
  time_.Advance(Millis(1));
  EXPECT_EQ(probes_.size(), 1U);
}

class GuardedSourceTest : public ::testing::Test {
 protected:
  /// How one fetch ends: "ok", "failed", or "waiting".
  std::string Fetch(const std::string& customer = "a") {
    auto outcome = std::make_shared<std::string>("waiting");
    guarded_.Fetch(
        EntityKey(customer, ""), time_.Now() + Millis(1'000),
        [outcome](const UpstreamResult<CustomerEntitlements>& result) { *outcome = result.ok() ? "ok" : "failed"; });
    return *outcome;
  }
  void FetchAndFail(UpstreamFailure failure, int times) {
    for (int i = 0; i < times; ++i) {
      Fetch();
      FakeSource::Request request = std::move(source_.waiting.front());
      source_.waiting.pop_front();
      std::move(request.done)(failure);
    }
  }

  SimTime time_;
  FakeSource source_;
  GuardedSource guarded_{source_, time_, time_, Millis(5'000), {}};
};

TEST_F(GuardedSourceTest, IsNotAskedWhileOpen) {
  FetchAndFail({.status = absl::UnavailableError("down"), .transient = true}, 5);
  EXPECT_FALSE(guarded_.available());
  EXPECT_EQ(Fetch(), "failed");
  EXPECT_EQ(source_.fetches, 5U);
}

TEST_F(GuardedSourceTest, TimeOutsAndARejectedKeyCount) {
  FetchAndFail({.status = absl::DeadlineExceededError("late")}, 4);
  FetchAndFail({.status = absl::UnauthenticatedError("key"), .invalid_key = true}, 1);
  EXPECT_FALSE(guarded_.available());
}

TEST_F(GuardedSourceTest, RefusalsShowThatUpstreamIsThere) {
  FetchAndFail({.status = absl::UnavailableError("down"), .transient = true}, 4);
  FetchAndFail({.status = absl::NotFoundError("CustomerNotFound")}, 1);
  FetchAndFail({.status = absl::UnavailableError("down"), .transient = true}, 4);
  EXPECT_TRUE(guarded_.available());
}

TEST_F(GuardedSourceTest, AFetchThatOutlivedTheReadBudgetCounts) {
  for (int i = 0; i < 5; ++i) guarded_.NoteTooSlow(EntityKey("slow", ""));
  EXPECT_FALSE(guarded_.available());
}

TEST_F(GuardedSourceTest, TheProbeAsksForWhatFailedLast) {
  for (int i = 0; i < 5; ++i) guarded_.NoteTooSlow(EntityKey("slow", "site"));
  time_.Advance(Millis(1'000));
  ASSERT_EQ(source_.waiting.size(), 1U);
  EXPECT_EQ(source_.waiting.front().key, EntityKey("slow", "site"));
  EXPECT_EQ(source_.waiting.front().deadline, time_.Now() + Millis(5'000));
  source_.Answer(testing::Of({testing::Boolean("f")}));
  EXPECT_TRUE(guarded_.available());
}

}  // namespace
}  // namespace sidecar
