// How the resolver uses the tier that replicas share.
#include <gtest/gtest.h>

#include <deque>

#include "core/entitlement_resolver.h"
#include "support/builders.h"
#include "support/definitions.h"
#include "support/fake_source.h"
#include "support/sim_clock.h"

namespace sidecar {
namespace {

using testing::Metered;
using testing::Of;

/// A store whose answers the test gives by hand.
class FakeStore : public SharedStore {
 public:
  bool available() const override { return is_available; }
  void Read(const EntityKey&, Intent intent, ReadDone done) override {
    intents.push_back(intent);
    reads.push_back(std::move(done));
  }
  void Write(const EntityKey&, const CustomerEntitlements& value, MonoTime) override { writes.push_back(value); }
  void FetchEnded(const EntityKey&, bool ok) override { ended.push_back(ok); }
  void Apply(const UsageReceipt&) override {}

  void Answer(absl::StatusOr<SharedRecord> record) {
    ReadDone done = std::move(reads.front());
    reads.pop_front();
    std::move(done)(std::move(record));
  }
  /// Without an age: kept current.
  void Have(double usage, std::optional<Millis> age = std::nullopt) {
    Answer(SharedRecord{.entitlements = Of({Metered("calls", 10, usage)}), .age = age});
  }
  void HaveNothing() { Answer(absl::NotFoundError("not there")); }

  bool is_available = true;
  std::deque<ReadDone> reads;
  std::vector<Intent> intents;
  std::vector<CustomerEntitlements> writes;
  std::vector<bool> ended;
};

class SharedStoreTest : public ::testing::Test {
 protected:
  struct Got {
    int answers = 0;
    bool fetched = false;
    bool shared = false;
    std::optional<double> usage;
  };

  static constexpr EntityKeyView kKey{"c", ""};

  void Resolve(Got& got, EntitlementResolver::Patience patience = EntitlementResolver::Patience::kDeadline) {
    resolver_.Resolve(kKey, patience, time_.Now() + Millis(5'000), [&got](const Resolution& resolution) {
      ++got.answers;
      got.fetched = resolution.fetched;
      got.shared = resolution.shared;
      if (resolution.record == nullptr) return;
      FeatureView view;
      resolution.record->ReadFeature(0, view);
      got.usage = view.current_usage;
    });
  }

  std::optional<double> Held() {
    const EpochDomain::Guard guard(epochs_);
    const Record* const record = cache_.Find(kKey);
    if (record == nullptr) return std::nullopt;
    FeatureView view;
    record->ReadFeature(0, view);
    return view.current_usage;
  }
  bool Suspect() {
    const EpochDomain::Guard guard(epochs_);
    return IsSuspect(*cache_.Find(kKey), time_.Now(), cover_);
  }

  testing::SimTime time_;
  testing::FixedRandom random_;
  Metrics metrics_;
  Definitions definitions_ = testing::PlainDefinitions();
  EpochDomain epochs_;
  EntitlementCache cache_{{.limit_bytes = 1 << 20, .shards = 1}, epochs_, definitions_};
  LiveCover cover_;
  RecordDoor door_{cache_, time_, random_, cover_, {}};
  testing::FakeSource source_;
  FakeStore store_;
  EntitlementResolver resolver_{cache_, door_, cover_, source_, source_, time_, time_, metrics_, {}, &store_};
};

TEST_F(SharedStoreTest, WhatItHasIsNotFetched) {
  Got got;
  Resolve(got);
  store_.Have(3);
  EXPECT_EQ(got.answers, 1);
  EXPECT_TRUE(got.fetched);
  EXPECT_TRUE(got.shared);
  EXPECT_EQ(got.usage, 3);
  EXPECT_EQ(source_.fetches, 0U);
}

TEST_F(SharedStoreTest, WhatItHasNotIsFetchedAndWrittenAndThoseWhoWaitAreTold) {
  Got got;
  Resolve(got);
  store_.HaveNothing();
  EXPECT_EQ(source_.fetches, 1U);
  source_.Answer(Of({Metered("calls", 10, 4)}));
  EXPECT_EQ(got.usage, 4);
  EXPECT_FALSE(got.shared);
  ASSERT_EQ(store_.writes.size(), 1U);
  EXPECT_EQ(store_.ended, (std::vector<bool>{true}));
}

TEST_F(SharedStoreTest, WhatItCannotSayIsFetched) {
  Got got;
  Resolve(got);
  store_.Answer(absl::UnavailableError("down"));
  source_.Answer(Of({Metered("calls", 10, 4)}));
  EXPECT_EQ(got.usage, 4);
  EXPECT_TRUE(store_.ended.empty());
}

TEST_F(SharedStoreTest, AnOldRecordIsAnsweredAfterTheReadBudgetWhileUpstreamIsAsked) {
  Got got;
  Resolve(got);
  store_.Have(3, Millis(3'600'000));
  EXPECT_EQ(source_.fetches, 1U);
  EXPECT_EQ(got.answers, 0);
  time_.Advance(Millis(250));
  EXPECT_EQ(got.answers, 1);
  EXPECT_EQ(got.usage, 3);
  EXPECT_FALSE(got.fetched);
  source_.Answer(Of({Metered("calls", 10, 4)}));
  EXPECT_EQ(Held(), 4);
}

TEST_F(SharedStoreTest, AnOldRecordIsBetterThanNone) {
  Got got;
  Resolve(got);
  store_.Have(3, Millis(3'600'000));
  source_.Fail();
  EXPECT_EQ(got.usage, 3);
  EXPECT_TRUE(Suspect());
}

TEST_F(SharedStoreTest, AYoungRecordThatNobodyKeepsCurrentLivesOutItsTime) {
  Got got;
  Resolve(got);
  store_.Have(3, Millis(10'000));
  EXPECT_TRUE(got.fetched);
  EXPECT_FALSE(Suspect());
  time_.Advance(Millis(20'000));
  EXPECT_TRUE(Suspect());
}

TEST_F(SharedStoreTest, AnEmptiedStoreGetsBackWhatMemoryHolds) {
  Got first;
  Resolve(first);
  store_.Have(3, Millis(0));
  time_.Advance(Millis(30'000));
  Got second;
  Resolve(second, EntitlementResolver::Patience::kReadBudget);
  store_.HaveNothing();
  ASSERT_EQ(store_.writes.size(), 1U) << "before upstream has answered";
  source_.Fail();
  EXPECT_EQ(second.usage, 3);
  EXPECT_EQ(store_.ended, (std::vector<bool>{false}));
}

TEST_F(SharedStoreTest, AStoreThatIsAwayIsNotAsked) {
  store_.is_available = false;
  Got got;
  Resolve(got);
  EXPECT_TRUE(store_.reads.empty());
  EXPECT_EQ(source_.fetches, 1U);
}

TEST_F(SharedStoreTest, AChangeIsReadAgainAndTheRecordStaysUsable) {
  Got got;
  Resolve(got);
  store_.Have(3);
  time_.Advance(Millis(1));
  resolver_.ChangedInShared(kKey);
  EXPECT_FALSE(Suspect());
  EXPECT_EQ(store_.intents.back(), SharedStore::Intent::kLook);
  store_.Have(5);
  EXPECT_EQ(Held(), 5);
  EXPECT_FALSE(Suspect());
  EXPECT_EQ(source_.fetches, 0U);
}

TEST_F(SharedStoreTest, ChangesDuringAReadingAreReadOnceMore) {
  Got got;
  Resolve(got);
  store_.Have(3);
  time_.Advance(Millis(1));
  for (int i = 0; i < 5; ++i) resolver_.ChangedInShared(kKey);
  ASSERT_EQ(store_.reads.size(), 1U);
  store_.Have(4);
  EXPECT_EQ(Held(), 3) << "it has changed since";
  ASSERT_EQ(store_.reads.size(), 1U);
  store_.Have(5);
  EXPECT_EQ(Held(), 5);
  EXPECT_FALSE(Suspect());
  EXPECT_TRUE(store_.reads.empty());
}

TEST_F(SharedStoreTest, AChangeThatCannotBeReadIsDoubted) {
  Got got;
  Resolve(got);
  store_.Have(3);
  time_.Advance(Millis(1));
  resolver_.ChangedInShared(kKey);
  store_.HaveNothing();
  EXPECT_TRUE(Suspect());
  EXPECT_EQ(Held(), 3);
}

TEST_F(SharedStoreTest, AChangeThatTheStoreCannotTellMoreOfSinceItIsGoneIsNoDoubt) {
  Got got;
  Resolve(got);
  store_.Have(3);
  time_.Advance(Millis(1));
  resolver_.ChangedInShared(kKey);
  store_.is_available = false;
  store_.Answer(absl::UnavailableError("the connection broke off"));
  EXPECT_FALSE(Suspect()) << "when it is back, everything is doubted";
}

TEST_F(SharedStoreTest, AChangeOfWhatMemoryDoesNotHoldIsNothing) {
  resolver_.ChangedInShared(kKey);
  EXPECT_TRUE(store_.reads.empty());
}

TEST_F(SharedStoreTest, AFetchThatWasUnderWayWhenTheRecordChangedIsDoubted) {
  Got got;
  Resolve(got);
  store_.HaveNothing();
  resolver_.ChangedInShared(kKey);
  source_.Answer(Of({Metered("calls", 10, 4)}));
  EXPECT_EQ(got.usage, 4);
  EXPECT_TRUE(Suspect());
}

TEST_F(SharedStoreTest, ARecordThatChangedWhileItWasReadIsReadAgain) {
  Got got;
  Resolve(got);
  resolver_.ChangedInShared(kKey);
  store_.Have(3);
  EXPECT_EQ(got.answers, 0);
  store_.Have(4);
  EXPECT_EQ(got.usage, 4);
  EXPECT_FALSE(Suspect());
  EXPECT_EQ(source_.fetches, 0U);
}

}  // namespace
}  // namespace sidecar
