// How the resolver uses the tier that replicas share.
#include <gtest/gtest.h>

#include "core/entitlement_resolver.h"
#include "support/builders.h"
#include "support/definitions.h"
#include "support/fake_source.h"
#include "support/fake_store.h"
#include "support/sim_clock.h"

namespace sidecar {
namespace {

using testing::Metered;
using testing::Of;

class SharedStoreTest : public ::testing::Test {
 protected:
  struct Got {
    int answers = 0;
    bool fetched = false;
    bool shared = false;
    std::optional<double> usage;
  };

  static constexpr EntityKeyView kKey{"c", ""};

  void Resolve(Got& got, EntitlementResolver::Patience patience = EntitlementResolver::Patience::kDeadline,
               Millis age_max = Millis::max()) {
    const auto done = [&got](const Resolution& resolution) {
      ++got.answers;
      got.fetched = resolution.fetched;
      got.shared = resolution.shared;
      if (resolution.record == nullptr) return;
      FeatureView view;
      resolution.record->ReadFeature(0, view);
      got.usage = view.current_usage;
    };
    resolver_.Resolve(kKey, patience, time_.Now() + Millis(5'000), done, age_max);
  }
  void ResolveYounger(Got& got, Millis age_max) { Resolve(got, EntitlementResolver::Patience::kDeadline, age_max); }

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
  testing::FakeStore store_;
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

TEST_F(SharedStoreTest, WhoWantsYoungerDataWaitsForUpstreamAndOthersDoNot) {
  Got any;
  Got young;
  Resolve(any);
  ResolveYounger(young, Millis(9'999));
  store_.Have(3, Millis(10'000));
  EXPECT_EQ(any.usage, 3);
  EXPECT_TRUE(any.shared);
  EXPECT_EQ(young.answers, 0);
  Got late;
  ResolveYounger(late, Millis(0));
  ASSERT_EQ(source_.fetches, 1U) << "joins it";
  source_.Answer(Of({Metered("calls", 10, 4)}));
  for (const Got& got : {young, late}) {
    EXPECT_EQ(got.answers, 1);
    EXPECT_EQ(got.usage, 4);
    EXPECT_FALSE(got.shared);
  }
  EXPECT_EQ(resolver_.fetches(), 0U);
}

TEST_F(SharedStoreTest, WhoWantsYoungerDataThanASuspectRecordWaitsOutHisDeadline) {
  Got any;
  Got young;
  Resolve(any);
  ResolveYounger(young, Millis(10'000));
  store_.Have(3, Millis(3'600'000));
  time_.Advance(Millis(250));
  EXPECT_EQ(any.answers, 1);
  EXPECT_EQ(young.answers, 0);
  source_.Answer(Of({Metered("calls", 10, 4)}));
  EXPECT_EQ(young.usage, 4);
}

TEST_F(SharedStoreTest, AnAgeThatIsAskedForIsOfTheData) {
  Got got;
  ResolveYounger(got, Millis(10'000));
  store_.Have(3, Millis(10'000));
  EXPECT_EQ(got.usage, 3);
  EXPECT_EQ(source_.fetches, 0U);
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
