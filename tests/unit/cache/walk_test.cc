#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <string>
#include <thread>

#include "cache/entitlement_cache.h"
#include "support/builders.h"
#include "support/definitions.h"

namespace sidecar {
namespace {

using testing::Metered;
using testing::Of;

class WalkTest : public ::testing::Test {
 protected:
  void Put(const std::string& customer) {
    const EntityKeyView key{customer, ""};
    cache_.Update(key, [&](const Record*) { return Record::Build(key, Of({Metered("f", 1, 0)}), {}, definitions_); });
  }

  /// One step under a guard of its own; false after the last.
  bool Step(EntitlementCache::WalkPosition& at, size_t slots, std::map<std::string, int>& seen) {
    const EpochDomain::Guard guard(epochs_);
    return cache_.Walk(at, slots, [&](const Record& record) { ++seen[std::string(record.key().customer_id)]; });
  }

  Definitions definitions_ = testing::PlainDefinitions();
  EpochDomain epochs_;
  EntitlementCache cache_{{.limit_bytes = 64 << 20, .shards = 4}, epochs_, definitions_};
};

TEST_F(WalkTest, VisitsEveryRecordOnceWhateverTheStep) {
  for (int i = 0; i < 1000; ++i) Put(testing::CustomerName(i));
  for (const size_t slots : {size_t{1}, size_t{7}, size_t{64}, size_t{1'000'000}}) {
    std::map<std::string, int> seen;
    EntitlementCache::WalkPosition at;
    while (Step(at, slots, seen)) {
    }
    EXPECT_EQ(seen.size(), 1000U);
    for (const auto& [name, times] : seen) EXPECT_EQ(times, 1) << name;
    EXPECT_FALSE(Step(at, slots, seen)) << "it is over";
  }
}

TEST_F(WalkTest, AnEmptyCacheHasNone) {
  std::map<std::string, int> seen;
  EntitlementCache::WalkPosition at;
  while (Step(at, 64, seen)) {
  }
  EXPECT_TRUE(seen.empty());
}

TEST_F(WalkTest, LeavesNoMarkOfUse) {
  Put("a");
  std::map<std::string, int> seen;
  EntitlementCache::WalkPosition at;
  while (Step(at, 64, seen)) {
  }
  const EpochDomain::Guard guard(epochs_);
  at = {};
  while (cache_.Walk(at, 64, [](const Record& record) { EXPECT_FALSE(record.visited.load()); })) {
  }
}

TEST_F(WalkTest, MissesNothingWhenTheTablesGrowMeanwhile) {
  for (int i = 0; i < 1000; ++i) Put(testing::CustomerName(i));
  std::map<std::string, int> seen;
  EntitlementCache::WalkPosition at;
  int more = 1000;
  for (bool going = true; going;) {
    going = Step(at, 16, seen);
    for (const int end = more + 40; more < 20'000 && more < end; ++more) Put(testing::CustomerName(more));
  }
  EXPECT_GT(more, 5000) << "the tables grew";
  for (int i = 0; i < 1000; ++i) EXPECT_GE(seen[testing::CustomerName(i)], 1) << i;
}

TEST_F(WalkTest, RunsBesideWriters) {
  constexpr int kStaying = 500;
  for (int i = 0; i < kStaying; ++i) Put(testing::CustomerName(i));
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (int i = 0; !stop; i = (i + 1) % 20'000) {
      Put("passing-" + std::to_string(i));
      Put(testing::CustomerName(i % kStaying));  // replaced in place
      cache_.Erase({"passing-" + std::to_string(i / 2), ""});
    }
  });
  for (int walk = 0; walk < 200; ++walk) {
    std::map<std::string, int> seen;
    EntitlementCache::WalkPosition at;
    while (Step(at, 64, seen)) {
    }
    for (int i = 0; i < kStaying; ++i) EXPECT_GE(seen[testing::CustomerName(i)], 1);
  }
  stop = true;
  writer.join();
}

}  // namespace
}  // namespace sidecar
