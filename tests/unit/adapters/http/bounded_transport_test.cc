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

TEST_F(BoundedTest, WhatWaitedPastItsDeadlineIsNotSent) {
  Send("a");
  Send("b");
  Send("late", Millis(10));
  Send("c");
  time_.Advance(Millis(10));
  inner_.AnswerOne();
  EXPECT_EQ(inner_.urls.back(), "c");
  ASSERT_EQ(ended_.size(), 2U);
  EXPECT_EQ(ended_[0].first, "late");
  EXPECT_EQ(ended_[0].second.code(), absl::StatusCode::kDeadlineExceeded);
}

}  // namespace
}  // namespace sidecar
