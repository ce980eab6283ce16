#include "adapters/http/bounded_transport.h"

#include <gtest/gtest.h>

#include <deque>

#include "support/sim_clock.h"

namespace sidecar {
namespace {

/// Keeps what it was sent until the test answers.
class HeldTransport : public HttpTransport {
 public:
  void Send(HttpRequest request, MonoTime, Done done) override {
    urls.push_back(request.url);
    held.push_back(std::move(done));
  }
  void AnswerOne() {
    Done done = std::move(held.front());
    held.pop_front();
    std::move(done)({.response = {.status = 200}});
  }
  std::vector<std::string> urls;
  std::deque<Done> held;
};

class BoundedTest : public ::testing::Test {
 protected:
  void Send(const std::string& url, Millis within = Millis(1'000)) {
    bounded_.Send({.url = url}, time_.Now() + within,
                  [this, url](HttpResult result) { ended_.emplace_back(url, result.status); });
  }

  testing::SimTime time_;
  HeldTransport inner_;
  BoundedTransport bounded_{inner_, time_, /*under_way_max=*/2, /*queue_max=*/2};
  std::vector<std::pair<std::string, absl::Status>> ended_;
};

TEST_F(BoundedTest, RunsSomeQueuesSomeRefusesTheRest) {
  for (const char* url : {"a", "b", "c", "d", "e"}) Send(url);
  EXPECT_EQ(inner_.urls, (std::vector<std::string>{"a", "b"}));
  ASSERT_EQ(ended_.size(), 1U);
  EXPECT_EQ(ended_[0].first, "e");
  EXPECT_EQ(ended_[0].second.code(), absl::StatusCode::kResourceExhausted);
  inner_.AnswerOne();
  EXPECT_EQ(inner_.urls.back(), "c");
  inner_.AnswerOne();
  inner_.AnswerOne();
  inner_.AnswerOne();
  EXPECT_EQ(ended_.size(), 5U);
  Send("f");
  EXPECT_EQ(inner_.urls.back(), "f");
}

TEST_F(BoundedTest, WhatWaitsIsAnsweredAtItsDeadline) {
  Send("a");
  Send("b");
  Send("late", Millis(10));
  time_.Advance(Millis(9));
  EXPECT_TRUE(ended_.empty());
  time_.Advance(Millis(1));
  ASSERT_EQ(ended_.size(), 1U) << "nothing that is under way has ended";
  EXPECT_EQ(ended_[0].first, "late");
  EXPECT_EQ(ended_[0].second.code(), absl::StatusCode::kDeadlineExceeded);
  inner_.AnswerOne();
  inner_.AnswerOne();
  EXPECT_EQ(inner_.urls, (std::vector<std::string>{"a", "b"})) << "it is not sent later";
}

TEST_F(BoundedTest, WhatTimedOutFreesItsPlaceInTheQueue) {
  for (const char* url : {"a", "b"}) Send(url);
  for (const char* url : {"c", "d"}) Send(url, Millis(10));
  time_.Advance(Millis(10));
  Send("e");
  inner_.AnswerOne();
  EXPECT_EQ(inner_.urls.back(), "e");
}

TEST_F(BoundedTest, WhatWasStartedHasNoTimerLeft) {
  for (const char* url : {"a", "b", "c"}) Send(url, Millis(10));
  inner_.AnswerOne();
  EXPECT_EQ(inner_.urls.back(), "c");
  EXPECT_EQ(time_.pending_timers(), 0U);
  time_.Advance(Millis(10));
  EXPECT_EQ(ended_.size(), 1U) << "the deadline of an exchange under way is the inner transport's";
}

/// Answers before Send returns, from the second request on.
class HastyTransport : public HttpTransport {
 public:
  void Send(HttpRequest, MonoTime, Done done) override {
    deepest = std::max(deepest, ++depth);
    if (first == nullptr) {
      first = std::move(done);
    } else {
      std::move(done)({.response = {.status = 200}});
    }
    --depth;
  }
  Done first;
  int depth = 0;
  int deepest = 0;
};

TEST(BoundedTransportTest, ExchangesThatEndAtOnceDoNotPileUpOnTheStack) {
  testing::SimTime time;
  HastyTransport inner;
  constexpr int kQueued = 10'000;
  BoundedTransport bounded(inner, time, /*under_way_max=*/1, /*queue_max=*/kQueued);
  int ended = 0;
  for (int i = 0; i < kQueued + 1; ++i) bounded.Send({}, time.Now() + Millis(1'000), [&](HttpResult) { ++ended; });
  std::move(inner.first)({.response = {.status = 200}});
  EXPECT_EQ(ended, kQueued + 1);
  EXPECT_LE(inner.deepest, 2);
}

}  // namespace
}  // namespace sidecar
