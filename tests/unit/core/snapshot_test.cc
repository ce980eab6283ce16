#include "core/snapshot.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>

#include "support/definitions.h"
#include "support/sim_clock.h"
#include "support/snapshot_entries.h"

namespace sidecar {
namespace {

using ::testing::ElementsAre;
using testing::kKeepGoing;
using testing::Metered;
using testing::Of;
using testing::RandomEntries;

/// Keeps entries in memory, hot ones first as the contract wants.
class MemoryStore : public SnapshotStore {
 public:
  absl::StatusOr<SnapshotSize> Write(NextEntry next, KeepGoing) override {
    entries.clear();
    while (const SnapshotEntry* const entry = next()) entries.push_back(*entry);
    std::stable_partition(entries.begin(), entries.end(), [](const SnapshotEntry& entry) { return entry.hot; });
    return SnapshotSize{.records = entries.size()};
  }
  absl::Status Read(TakeEntry take) override {
    for (const SnapshotEntry& entry : entries) {
      if (!take(entry)) return absl::OkStatus();
    }
    return status;
  }

  std::vector<SnapshotEntry> entries;
  absl::Status status;
};

/// A process with a cache.
class Process {
 public:
  explicit Process(testing::SimTime& time, size_t limit_bytes = 16 << 20)
      : time_(time), cache_({.limit_bytes = limit_bytes, .shards = 4}, epochs_, definitions_) {}

  void Put(const std::string& customer, const CustomerEntitlements& value, RecordStamp stamp) {
    const EntityKeyView key{customer, ""};
    cache_.Update(key, [&](const Record*) { return Record::Build(key, value, stamp, definitions_); });
  }
  void Put(const std::string& customer, double limit = 1) {
    Put(customer, Of({Metered("f", limit, 0)}), {.fetched_at = time_.Now(), .fetched_at_wall = time_.WallNow()});
  }
  void Use(const std::string& customer) { Find({customer, ""}); }

  const Record* Find(EntityKeyView key) {
    const EpochDomain::Guard guard(epochs_);  // nothing is replaced in these tests
    return cache_.Find(key);
  }

  void Save(MemoryStore& store) {
    ASSERT_TRUE(WriteSnapshot(
                    cache_, time_, [](const Record& record, MonoTime now) { return now - record.fetched_at(); }, store,
                    kKeepGoing)
                    .ok());
  }
  RestoredSnapshot Restore(SnapshotStore& store) {
    RestoredSnapshot restored;
    status_ = RestoreSnapshot(cache_, time_, store, restored);
    return restored;
  }

  EntitlementCache& cache() { return cache_; }
  const absl::Status& status() const { return status_; }

 private:
  testing::SimTime& time_;
  Definitions definitions_ = testing::PlainDefinitions();
  EpochDomain epochs_;
  EntitlementCache cache_;
  absl::Status status_;
};

class SnapshotTest : public ::testing::Test {
 protected:
  testing::SimTime time_;
  MemoryStore store_;
};

TEST_F(SnapshotTest, EveryRecordComesBackAsItWas) {
  Process before(time_);
  RandomEntries random(7);
  std::vector<SnapshotEntry> entries;
  for (int i = 0; i < 2000; ++i) {
    entries.push_back(random.Next());
    const EntityKeyView key = entries.back().key.view();
    before.cache().Update(key, [&](const Record*) {
      return Record::Build(key, entries.back().entitlements, {.fetched_at = time_.Now()}, before.cache().definitions());
    });
  }
  before.Save(store_);
  Process after(time_);
  EXPECT_EQ(after.Restore(store_).records, entries.size());
  for (const SnapshotEntry& entry : entries) {
    const Record* const old_record = before.Find(entry.key.view());
    const Record* const new_record = after.Find(entry.key.view());
    ASSERT_NE(new_record, nullptr);
    EXPECT_EQ(new_record->ToValue(), old_record->ToValue());
  }
}

TEST_F(SnapshotTest, WhatIsRestoredIsSuspectAndHasItsTrueAge) {
  Process before(time_);
  before.Put("a");
  const WallTime fetched = time_.WallNow();
  time_.Advance(Millis(5'000));
  before.Save(store_);
  time_.Advance(Millis(60'000));
  testing::SimTime other_boot;  // monotonic time begins anew with the machine
  other_boot.SetWall(time_.WallNow());
  Process after(other_boot);
  after.Restore(store_);
  const Record* const record = after.Find({"a", ""});
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->origin(), RecordOrigin::kSnapshot);
  EXPECT_EQ(other_boot.Now() - record->fetched_at(), Millis(65'000));
  EXPECT_EQ(record->fetched_at_wall(), fetched);
  EXPECT_LE(record->suspect_at(), other_boot.Now());
  EXPECT_TRUE(record->suspect.load());
}

TEST_F(SnapshotTest, AClockThatWasSetBackGivesNoNegativeAge) {
  Process before(time_);
  before.Put("a");
  before.Save(store_);
  time_.JumpWall(Millis(-3'600'000));
  Process after(time_);
  after.Restore(store_);
  const Record* const record = after.Find({"a", ""});
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->fetched_at(), time_.Now());
  EXPECT_EQ(record->fetched_at_wall(), time_.WallNow());
}

TEST_F(SnapshotTest, ARecordUnderALiveFeedIsAsOldAsTheSnapshot) {
  Process before(time_);
  before.Put("a");
  const WallTime fetched = time_.WallNow();
  time_.Advance(Millis(3'600'000));
  const auto live = [](const Record&, MonoTime) { return Millis(0); };
  ASSERT_TRUE(WriteSnapshot(before.cache(), time_, live, store_, kKeepGoing).ok());
  time_.Advance(Millis(2'000));
  Process after(time_);
  after.Restore(store_);
  const Record* const record = after.Find({"a", ""});
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(time_.Now() - record->fetched_at(), Millis(2'000));
  // What has expired since the fetch stays expired.
  EXPECT_EQ(record->fetched_at_wall(), fetched);
}

TEST_F(SnapshotTest, LocalChangesStayNewerThanFetches) {
  Process before(time_);
  before.Put("a", Of({Metered("f", 5, 4)}), {.fetched_at = time_.Now(), .changed_at = time_.Now() + Millis(1'000)});
  before.Put("b");
  time_.Advance(Millis(1'500));
  before.Save(store_);
  time_.Advance(Millis(500));
  Process after(time_);
  after.Restore(store_);
  EXPECT_EQ(after.Find({"a", ""})->changed_at(), time_.Now() - Millis(1'000));
  EXPECT_EQ(after.Find({"b", ""})->changed_at(), std::nullopt);
}

TEST_F(SnapshotTest, ThereAreKeysForTheRefreshHottestFirst) {
  Process before(time_);
  for (const char* customer : {"old-used", "old", "new-used", "new"}) {
    before.Put(customer);
    time_.Advance(Millis(1'000));
  }
  before.Use("old-used");
  before.Use("new-used");
  before.Save(store_);
  Process after(time_);
  EXPECT_THAT(after.Restore(store_).hottest, ElementsAre(EntityKey("new-used", ""), EntityKey("old-used", ""),
                                                         EntityKey("new", ""), EntityKey("old", "")));
}

TEST_F(SnapshotTest, TheListOfKeysIsBounded) {
  Process before(time_, 64 << 20);
  for (size_t i = 0; i < kRestoredKeysMax + 500; ++i) {
    before.Put("customer-" + std::to_string(i));
    time_.Advance(Millis(1));
  }
  before.Save(store_);
  Process after(time_, 64 << 20);
  const RestoredSnapshot restored = after.Restore(store_);
  EXPECT_EQ(restored.records, kRestoredKeysMax + 500);
  ASSERT_EQ(restored.hottest.size(), kRestoredKeysMax);
  EXPECT_EQ(restored.hottest.front().customer_id, "customer-" + std::to_string(kRestoredKeysMax + 499));
  EXPECT_EQ(restored.hottest.back().customer_id, "customer-500");
}

TEST_F(SnapshotTest, UseIsRememberedForEviction) {
  Process before(time_);
  before.Put("used");
  before.Put("unused");
  before.Use("used");
  before.Save(store_);
  Process after(time_);
  after.Restore(store_);
  std::map<std::string, bool> visited;
  EntitlementCache::WalkPosition at;
  const EpochDomain::Guard guard(after.cache().epochs());
  while (after.cache().Walk(at, 1000, [&](const Record& record) {
    visited[std::string(record.key().customer_id)] = record.visited.load();
  })) {
  }
  EXPECT_EQ(visited, (std::map<std::string, bool>{{"used", true}, {"unused", false}}));
}

TEST_F(SnapshotTest, ASmallerCacheTakesTheUsedOnesAndEvictsNothing) {
  Process before(time_, 16 << 20);
  for (int i = 0; i < 20'000; ++i) before.Put("customer-" + std::to_string(i));
  for (int i = 0; i < 20'000; i += 20) before.Use("customer-" + std::to_string(i));
  before.Save(store_);
  Process after(time_, 1 << 20);
  const RestoredSnapshot restored = after.Restore(store_);
  EXPECT_TRUE(restored.cache_full);
  EXPECT_GT(restored.records, 1'000U);
  EXPECT_EQ(after.cache().stats().entries, restored.records);
  EXPECT_EQ(after.cache().stats().evictions, 0U);
  for (int i = 0; i < 20'000; i += 20) ASSERT_NE(after.Find({"customer-" + std::to_string(i), ""}), nullptr) << i;
}

TEST_F(SnapshotTest, WhatIsThereAlreadyStays) {
  Process before(time_);
  before.Put("a", 1);
  before.Save(store_);
  Process after(time_);
  after.Put("a", 2);
  EXPECT_EQ(after.Restore(store_).records, 0U);
  EXPECT_EQ(after.Find({"a", ""})->ToValue().features[0].usage_limit, 2);
}

TEST_F(SnapshotTest, DamageIsPassedOnWithWhatWasGood) {
  Process before(time_);
  before.Put("a");
  before.Save(store_);
  store_.status = absl::DataLossError("torn");
  Process after(time_);
  EXPECT_EQ(after.Restore(store_).records, 1U);
  EXPECT_TRUE(absl::IsDataLoss(after.status()));
}

TEST_F(SnapshotTest, NoGuardIsHeldWhileTheStoreWorks) {
  class LookingStore : public MemoryStore {
   public:
    explicit LookingStore(EntitlementCache& cache) : cache_(cache) {}
    absl::StatusOr<SnapshotSize> Write(NextEntry next, KeepGoing) override {
      while (next() != nullptr) {
        cache_.Erase({"victim", ""});
        cache_.epochs().Collect();
        EXPECT_EQ(cache_.epochs().retired_bytes(), 0U);
      }
      return SnapshotSize{};
    }

   private:
    EntitlementCache& cache_;
  };
  Process process(time_);
  for (int i = 0; i < 500; ++i) process.Put("customer-" + std::to_string(i));
  process.Put("victim");
  LookingStore store(process.cache());
  process.Save(store);
}

}  // namespace
}  // namespace sidecar
