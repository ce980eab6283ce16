#include "adapters/net/asio_timers.h"

#include <gtest/gtest.h>

#include <future>
#include <stdexcept>

#include "adapters/net/io_thread.h"

namespace sidecar {
namespace {

MonoTime Now() { return std::chrono::time_point_cast<Millis>(std::chrono::steady_clock::now()); }

constexpr std::chrono::seconds kAmple{20};

class AsioTimersTest : public ::testing::Test {
 protected:
  ~AsioTimersTest() override { io_.Stop(); }

  IoThread io_{"test-io"};
  AsioTimers timers_{io_.context()};
};

TEST_F(AsioTimersTest, RunsFunctionsInTheirOrder) {
  std::vector<int> order;
  std::promise<void> done;
  const MonoTime start = Now();
  timers_.At(start + Millis(30), [&] {
    order.push_back(2);
    done.set_value();
  });
  timers_.At(start + Millis(10), [&] { order.push_back(1); });
  ASSERT_EQ(done.get_future().wait_for(kAmple), std::future_status::ready);
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
  EXPECT_GE(Now() - start, Millis(30));
}

TEST_F(AsioTimersTest, WhatIsCancelledDoesNotRun) {
  bool ran = false;
  std::promise<void> done;
  const Timers::Id id = timers_.At(Now() + Millis(10), [&] { ran = true; });
  timers_.At(Now() + Millis(20), [&] { done.set_value(); });
  EXPECT_TRUE(timers_.Cancel(id));
  EXPECT_FALSE(timers_.Cancel(id));
  ASSERT_EQ(done.get_future().wait_for(kAmple), std::future_status::ready);
  EXPECT_FALSE(ran);
}

TEST_F(AsioTimersTest, AFunctionThatThrowsStopsNoOther) {
  std::promise<void> same_time;
  std::promise<void> later;
  const MonoTime at = Now() + Millis(10);
  timers_.At(at, [] { throw std::runtime_error("a defect"); });
  timers_.At(at, [] { throw 5; });
  timers_.At(at, [&] { same_time.set_value(); });
  timers_.At(at + Millis(10), [&] { later.set_value(); });
  EXPECT_EQ(same_time.get_future().wait_for(kAmple), std::future_status::ready);
  EXPECT_EQ(later.get_future().wait_for(kAmple), std::future_status::ready);
}

}  // namespace
}  // namespace sidecar
