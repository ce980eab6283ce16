#include "cache/entitlement_cache.h"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <string>
#include <thread>

#include "support/builders.h"
#include "support/definitions.h"

namespace sidecar {
namespace {

using testing::Boolean;
using testing::Enum;
using testing::Metered;
using testing::Of;
using testing::PlainDefinitions;

class CacheTest : public ::testing::Test {
 protected:
  void Make(size_t limit_bytes, size_t shards = 4) {
    cache_.emplace(EntitlementCache::Options{.limit_bytes = limit_bytes, .shards = shards}, epochs_, definitions_);
  }

  RecordPtr Build(EntityKeyView key, const CustomerEntitlements& entitlements) {
    return Record::Build(key, entitlements, {}, definitions_);
  }

  EntitlementCache::Outcome Put(const std::string& customer, const CustomerEntitlements& entitlements) {
    const EntityKeyView key{customer, ""};
    return cache_->Update(key, [&](const Record*) { return Build(key, entitlements); });
  }

  bool Has(const std::string& customer) {
    const EpochDomain::Guard guard(epochs_);
    return cache_->Find({customer, ""}) != nullptr;
  }

  /// Limit of the one metered feature; -1 when the customer is not there.
  double LimitOf(const std::string& customer) {
    const EpochDomain::Guard guard(epochs_);
    const Record* const record = cache_->Find({customer, ""});
    if (record == nullptr) return -1;
    FeatureView view;
    record->ReadFeature(0, view);
    return view.usage_limit.value_or(-2);
  }

  Definitions definitions_ = PlainDefinitions();
  EpochDomain epochs_;
  std::optional<EntitlementCache> cache_;
};

TEST_F(CacheTest, FindsWhatWasStored) {
  Make(1 << 20);
  EXPECT_FALSE(Has("a"));
  EXPECT_TRUE(Put("a", Of({Metered("f", 5, 0)})).stored);
  EXPECT_EQ(LimitOf("a"), 5);
  EXPECT_EQ(cache_->stats().entries, 1U);
}

TEST_F(CacheTest, CustomerAndResourceAreDifferentKeys) {
  Make(1 << 20);
  Put("a", Of({Metered("f", 5, 0)}));
  const EpochDomain::Guard guard(epochs_);
  EXPECT_EQ(cache_->Find({"a", "r"}), nullptr);
  EXPECT_EQ(cache_->Find({"", "a"}), nullptr);
}

TEST_F(CacheTest, ReplacesAtomically) {
  Make(1 << 20);
  Put("a", Of({Metered("f", 5, 0)}));
  Put("a", Of({Metered("f", 6, 0)}));
  EXPECT_EQ(LimitOf("a"), 6);
  EXPECT_EQ(cache_->stats().entries, 1U);
}

TEST_F(CacheTest, EditSeesTheCurrentRecordAndMayLeaveIt) {
  Make(1 << 20);
  Put("a", Of({Metered("f", 5, 0)}));
  const EpochDomain::Guard guard(epochs_);
  const Record* seen = nullptr;
  const auto outcome = cache_->Update({"a", ""}, [&](const Record* current) {
    seen = current;
    return RecordPtr();
  });
  EXPECT_NE(seen, nullptr);
  EXPECT_EQ(outcome.current, seen);
  EXPECT_FALSE(outcome.stored);
}

TEST_F(CacheTest, ErasesOne) {
  Make(1 << 20);
  Put("a", {});
  Put("b", {});
  EXPECT_TRUE(cache_->Erase({"a", ""}));
  EXPECT_FALSE(cache_->Erase({"a", ""}));
  EXPECT_FALSE(Has("a"));
  EXPECT_TRUE(Has("b"));
  EXPECT_EQ(cache_->stats().entries, 1U);
}

TEST_F(CacheTest, HoldsManyAndFindsEach) {
  Make(64 << 20);
  for (int i = 0; i < 20'000; ++i) Put(testing::CustomerName(i), Of({Metered("f", i, 0)}));
  for (int i = 0; i < 20'000; ++i) ASSERT_EQ(LimitOf(testing::CustomerName(i)), i);
  EXPECT_EQ(cache_->stats().entries, 20'000U);
  EXPECT_EQ(cache_->stats().evictions, 0U);
}

TEST_F(CacheTest, StaysWithinItsBytes) {
  constexpr size_t kLimit = 1 << 20;
  Make(kLimit);
  for (int i = 0; i < 50'000; ++i) {
    Put(testing::CustomerName(i), Of({Metered("f", i, 0), Boolean("g")}));
    ASSERT_LE(cache_->stats().bytes, kLimit);
  }
  EXPECT_GT(cache_->stats().evictions, 0U);
  EXPECT_GT(cache_->stats().entries, 1000U);
  // Nothing piles up behind the readers' backs either.
  EXPECT_LT(cache_->stats().retired_bytes, 64U << 10);
}

TEST_F(CacheTest, TheBytesAreThoseOfTheAllocator) {
  Make(1 << 20);
  const size_t before = cache_->stats().bytes;
  const EpochDomain::Guard guard(epochs_);
  const auto outcome = Put("a", Of({Boolean("f")}));
  EXPECT_EQ(cache_->stats().bytes - before, outcome.current->allocated_bytes() + definitions_.bytes());
}

TEST_F(CacheTest, ACustomerOfTwentyMeteredFeaturesTakesAtMostTwelveHundredBytes) {
  Make(64 << 20, 16);
  std::vector<FeatureEntitlement> features;
  for (int i = 0; i < 20; ++i) {
    features.push_back(Metered("feature-" + std::to_string(i), 1000 + i, i));
    features.back().period = {.reset = ResetPeriod::kMonth,
                              .anchor = WallTimeFromEpochMs(1'761'955'200'000),
                              .start = WallTimeFromEpochMs(1'793'491'200'000),
                              .end = WallTimeFromEpochMs(1'796'083'200'000)};
    features.back().usage_updated_at = WallTimeFromEpochMs(1'795'255'200'000);
  }
  constexpr int kCustomers = 10'000;
  for (int i = 0; i < kCustomers; ++i) Put("customer-" + std::to_string(100'000 + i), Of(features));
  const size_t per_customer = cache_->stats().bytes / kCustomers;
  RecordProperty("bytes_per_customer", static_cast<int>(per_customer));
  EXPECT_LE(per_customer, 1228U);
}

TEST_F(CacheTest, ARecordThatIsTooLargeIsNotKept) {
  Make(1 << 20);
  Put("a", Of({Metered("f", 5, 0)}));
  const std::vector<std::string> values(100, std::string(2000, 'x'));
  const auto outcome = Put("a", Of({Enum("e", values)}));  // 200 KB, beyond an eighth of the limit
  EXPECT_FALSE(outcome.stored);
  ASSERT_NE(outcome.oversize, nullptr);
  EXPECT_EQ(outcome.current, outcome.oversize.get());
  EXPECT_FALSE(Has("a")) << "the older record must not stand in for it";
  EXPECT_EQ(cache_->stats().oversize, 1U);
}

TEST_F(CacheTest, AScanDoesNotDriveOutWhatIsUsed) {
  Make(1 << 20, 1);
  for (int i = 0; i < 100; ++i) Put("hot-" + std::to_string(i), Of({Metered("f", i, 0)}));
  for (int round = 0; round < 50; ++round) {
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(Has("hot-" + std::to_string(i))) << "round " << round;
    for (int i = 0; i < 400; ++i) Put("cold-" + std::to_string(round * 400 + i), Of({Metered("f", i, 0)}));
  }
  EXPECT_GT(cache_->stats().evictions, 0U);
}

TEST_F(CacheTest, RemovedSlotsAreReused) {
  Make(1 << 20, 1);
  for (int i = 0; i < 100'000; ++i) {
    Put(testing::CustomerName(i), {});
    cache_->Erase({testing::CustomerName(i), ""});
  }
  EXPECT_EQ(cache_->stats().entries, 0U);
  EXPECT_LT(cache_->stats().bytes, 4096U);
}

TEST_F(CacheTest, ReadersAndWritersRunTogether) {
  Make(2 << 20);
  constexpr int kCustomers = 500;
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> found{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 generator(static_cast<unsigned>(t));
      while (!stop) {
        const std::string customer = testing::CustomerName(static_cast<int>(generator() % kCustomers));
        const EpochDomain::Guard guard(epochs_);
        const Record* const record = cache_->Find({customer, ""});
        if (record == nullptr) continue;
        ASSERT_TRUE(record->KeyEquals({customer, ""}));
        FeatureView view;
        record->ReadFeature(0, view);
        ASSERT_EQ(view.id, "f");
        ++found;
      }
    });
  }
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 generator(static_cast<unsigned>(100 + t));
      for (int i = 0; i < 20'000; ++i) {
        const std::string customer = testing::CustomerName(static_cast<int>(generator() % kCustomers));
        if (generator() % 8 == 0) {
          cache_->Erase({customer, ""});
        } else {
          Put(customer, Of({Metered("f", i, 0)}));
        }
      }
      stop = true;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(found, 0U);
  EXPECT_LE(cache_->stats().entries, static_cast<size_t>(kCustomers));
}

}  // namespace
}  // namespace sidecar
