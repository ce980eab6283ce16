#include "cache/epoch.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace sidecar {
namespace {

TEST(EpochDomain, FreesWhatNobodyCanSee) {
  EpochDomain epochs;
  bool freed = false;
  epochs.Retire(10, [&] { freed = true; });
  EXPECT_FALSE(freed);
  EXPECT_EQ(epochs.retired_bytes(), 10U);
  epochs.Collect();
  EXPECT_TRUE(freed);
  EXPECT_EQ(epochs.retired_bytes(), 0U);
}

TEST(EpochDomain, KeepsWhatAGuardMaySee) {
  EpochDomain epochs;
  bool freed = false;
  {
    const EpochDomain::Guard guard(epochs);
    epochs.Retire(1, [&] { freed = true; });
    for (int i = 0; i < 10; ++i) epochs.Collect();
    EXPECT_FALSE(freed);
  }
  epochs.Collect();
  EXPECT_TRUE(freed);
}

TEST(EpochDomain, KeepsItForAGuardOfAnotherThread) {
  EpochDomain epochs;
  std::atomic<int> stage{0};
  bool freed = false;
  std::thread reader([&] {
    const EpochDomain::Guard guard(epochs);
    stage = 1;
    stage.notify_all();
    stage.wait(1);
  });
  stage.wait(0);
  epochs.Retire(1, [&] { freed = true; });
  for (int i = 0; i < 10; ++i) epochs.Collect();
  EXPECT_FALSE(freed);
  stage = 2;
  stage.notify_all();
  reader.join();
  epochs.Collect();
  EXPECT_TRUE(freed);
}

TEST(EpochDomain, GuardsNest) {
  EpochDomain epochs;
  bool freed = false;
  {
    const EpochDomain::Guard outer(epochs);
    { const EpochDomain::Guard inner(epochs); }
    epochs.Retire(1, [&] { freed = true; });
    epochs.Collect();
    EXPECT_FALSE(freed);
  }
  epochs.Collect();
  EXPECT_TRUE(freed);
}

TEST(EpochDomain, AGuardTakenLaterDoesNotHoldBackWhatWasRetiredBefore) {
  EpochDomain epochs;
  bool freed = false;
  epochs.Retire(1, [&] { freed = true; });
  epochs.Collect();  // two advances are possible at once: nobody is pinned
  const EpochDomain::Guard guard(epochs);
  EXPECT_TRUE(freed);
}

TEST(EpochDomain, CollectsByItselfAfterAWhile) {
  int freed = 0;
  EpochDomain epochs;
  for (int i = 0; i < 1000; ++i) epochs.Retire(1, [&] { ++freed; });
  EXPECT_GT(freed, 900);
  EXPECT_LT(epochs.retired_bytes(), 100U);
}

TEST(EpochDomain, CollectsFewLargeObjectsByItselfToo) {
  int freed = 0;
  EpochDomain epochs;
  epochs.Retire(600 << 10, [&] { ++freed; });
  EXPECT_EQ(freed, 0);
  epochs.Retire(600 << 10, [&] { ++freed; });
  EXPECT_EQ(freed, 2);
  EXPECT_EQ(epochs.retired_bytes(), 0U);
}

TEST(EpochDomain, FreesTheRestWhenItEnds) {
  int freed = 0;
  {
    EpochDomain epochs;
    for (int i = 0; i < 5; ++i) epochs.Retire(1, [&] { ++freed; });
  }
  EXPECT_EQ(freed, 5);
}

TEST(EpochDomain, ReadersNeverSeeFreedMemory) {
  struct Node {
    std::atomic<int> alive{1};
  };
  EpochDomain epochs;
  std::atomic<Node*> shared{new Node};
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> reads{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      while (!stop) {
        const EpochDomain::Guard guard(epochs);
        // Under AddressSanitizer a freed node is a report; without it, a zero.
        ASSERT_EQ(shared.load(std::memory_order_acquire)->alive.load(std::memory_order_relaxed), 1);
        ++reads;
      }
    });
  }
  for (int i = 0; i < 20'000 || reads < 1000; ++i) {
    Node* const old = shared.exchange(new Node, std::memory_order_acq_rel);
    epochs.Retire(sizeof(Node), [old] {
      old->alive.store(0, std::memory_order_relaxed);
      delete old;
    });
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  delete shared.load();
}

}  // namespace
}  // namespace sidecar
