// Live cover, and what the feed does to records: freshness and age.
#include "core/live_cover.h"

#include <gtest/gtest.h>

#include "core/feed_intake.h"
#include "support/builders.h"
#include "support/definitions.h"
#include "support/fake_source.h"
#include "support/sim_clock.h"

namespace sidecar {
namespace {

using testing::Metered;
using testing::Of;

class CoverTest : public ::testing::Test {
 protected:
  void Fetch(const std::string& customer, CustomerEntitlements entitlements = Of({Metered("f", 10, 1)})) {
    door_.Admit(door_.StartFetch({customer, ""}), entitlements, RecordDoor::Mode::kMerge);
  }
  bool Suspect(const std::string& customer) {
    const EpochDomain::Guard guard(epochs_);
    return IsSuspect(*cache_.Find({customer, ""}), time_.Now(), cover_);
  }
  Millis Age(const std::string& customer) {
    const EpochDomain::Guard guard(epochs_);
    return cover_.AgeOf(*cache_.Find({customer, ""}), time_.Now());
  }
  void GoLive() {
    intake_.OnLive();
    time_.Advance(Millis(1));
  }
  static constexpr Millis kLong{3'600'000};

  testing::SimTime time_;
  testing::FixedRandom random_;
  Definitions definitions_ = testing::PlainDefinitions();
  EpochDomain epochs_;
  EntitlementCache cache_{{.limit_bytes = 8 << 20, .shards = 4}, epochs_, definitions_};
  Metrics metrics_;
  LiveCover cover_;
  RecordDoor door_{cache_, time_, random_, cover_, {}};
  testing::FakeSource source_;
  EntitlementResolver resolver_{cache_, door_, cover_, source_, source_, time_, time_, metrics_, {}};
  BackgroundRefresh refresh_{resolver_, time_, time_, {}};
  std::vector<EntityKey> hottest_;
  FeedIntake intake_{cover_, door_, refresh_, time_, [this](size_t) { return hottest_; }};
};

TEST_F(CoverTest, WithoutAFeedTheTtlCounts) {
  Fetch("a");
  time_.Advance(Millis(29'999));
  EXPECT_FALSE(Suspect("a"));
  EXPECT_EQ(Age("a"), Millis(29'999));
  time_.Advance(Millis(1));
  EXPECT_TRUE(Suspect("a"));
}

TEST_F(CoverTest, UnderALiveFeedARecordStaysFreshAndHasNoAge) {
  GoLive();
  Fetch("a");
  time_.Advance(kLong);
  EXPECT_FALSE(Suspect("a"));
  EXPECT_EQ(Age("a"), Millis(0));
}

TEST_F(CoverTest, WhatWasFetchedBeforeTheFeedWasLiveIsSuspect) {
  Fetch("a");
  time_.Advance(Millis(1'000));
  GoLive();
  EXPECT_TRUE(Suspect("a"));
  EXPECT_EQ(Age("a"), Millis(1'001));
}

TEST_F(CoverTest, AFetchThatBeganBeforeTheFeedWasLiveIsNotCovered) {
  const RecordDoor::Fetch fetch = door_.StartFetch({"a", ""});
  time_.Advance(Millis(1));
  GoLive();
  door_.Admit(fetch, Of({Metered("f", 10, 1)}), RecordDoor::Mode::kMerge);
  EXPECT_TRUE(Suspect("a"));
}

TEST_F(CoverTest, ALostFeedMakesRecordsSuspectAndAgesThemFromThen) {
  GoLive();
  Fetch("a");
  time_.Advance(kLong);
  intake_.OnLost();
  EXPECT_TRUE(Suspect("a"));
  EXPECT_EQ(Age("a"), Millis(0));
  time_.Advance(Millis(5'000));
  EXPECT_EQ(Age("a"), Millis(5'000)) << "known to be current until the feed was lost";
}

// Found by scripts/soak: Redis came back empty while the feed was away, and everything seemed to have been current till
// then.
TEST_F(CoverTest, ADoubtInAGapMakesNothingYounger) {
  GoLive();
  Fetch("a");
  time_.Advance(kLong);
  intake_.OnLost();
  time_.Advance(Millis(5'000));
  intake_.OnPush(CatalogPush{});
  EXPECT_EQ(Age("a"), Millis(5'000));
  GoLive();
  Fetch("a");
  EXPECT_EQ(Age("a"), Millis(0));
}

TEST_F(CoverTest, OfTwoDoubtsTheFirstCounts) {
  GoLive();
  Fetch("a");
  time_.Advance(Millis(10));
  intake_.OnPush(CatalogPush{});
  time_.Advance(Millis(100));
  Fetch("b");
  time_.Advance(Millis(1'000));
  intake_.OnLost();
  time_.Advance(Millis(50));
  EXPECT_EQ(Age("a"), Millis(1'150)) << "known to be current until the publication";
  EXPECT_EQ(Age("b"), Millis(1'050)) << "perhaps current for longer; never said too short";
}

TEST_F(CoverTest, ARecordThatIsDoubtedIsNoYoungerWhenAllAre) {
  GoLive();
  Fetch("a");
  time_.Advance(Millis(1'000));
  intake_.OnPush(ListPush{.key = EntityKey("a", "")});
  time_.Advance(Millis(1'000));
  intake_.OnLost();
  EXPECT_EQ(Age("a"), Millis(2'000));
}

TEST_F(CoverTest, WhileTheFeedIsLostTheTtlCounts) {
  GoLive();
  intake_.OnLost();
  time_.Advance(Millis(1));
  Fetch("a");
  EXPECT_FALSE(Suspect("a"));
  time_.Advance(Millis(30'000));
  EXPECT_TRUE(Suspect("a"));
  EXPECT_EQ(Age("a"), Millis(30'000));
}

TEST_F(CoverTest, AfterAGapEveryOlderRecordIsSuspectHoweverYoung) {
  GoLive();
  intake_.OnLost();
  time_.Advance(Millis(1));
  Fetch("a");
  time_.Advance(Millis(10));
  GoLive();
  EXPECT_TRUE(Suspect("a"));
  Fetch("a");
  EXPECT_FALSE(Suspect("a"));
}

TEST_F(CoverTest, APublicationToAllCustomersMakesEverythingSuspect) {
  GoLive();
  Fetch("a");
  time_.Advance(Millis(100));
  intake_.OnPush(CatalogPush{});
  EXPECT_TRUE(Suspect("a"));
  time_.Advance(Millis(7));
  EXPECT_EQ(Age("a"), Millis(7));
  Fetch("a");
  EXPECT_FALSE(Suspect("a"));
}

TEST_F(CoverTest, AnEmptyRecordTurnsSuspectAfterAMinuteEvenUnderALiveFeed) {
  GoLive();
  Fetch("a", {});
  time_.Advance(Millis(59'999));
  EXPECT_FALSE(Suspect("a"));
  time_.Advance(Millis(1));
  EXPECT_TRUE(Suspect("a"));
}

TEST_F(CoverTest, APushThatNamesAnEmptyRecordDoubtsItAtOnce) {
  GoLive();
  Fetch("a", {});
  intake_.OnPush(UsagePush{.key = EntityKey("a", ""), .id = "f", .current_usage = 1});
  EXPECT_TRUE(Suspect("a"));
}

TEST_F(CoverTest, AnEmptyPushDoubtsTheRecordAndKeepsIt) {
  GoLive();
  Fetch("a");
  intake_.OnPush(ListPush{.key = EntityKey("a", "")});
  EXPECT_TRUE(Suspect("a"));
  const EpochDomain::Guard guard(epochs_);
  EXPECT_EQ(cache_.Find({"a", ""})->feature_count(), 1U);
}

TEST_F(CoverTest, APushedListIsFreshFromItsArrival) {
  Fetch("a");
  time_.Advance(Millis(10));
  GoLive();
  ASSERT_TRUE(Suspect("a"));
  intake_.OnPush(ListPush{.key = EntityKey("a", ""), .entitlements = Of({Metered("f", 99, 1)})});
  EXPECT_FALSE(Suspect("a"));
  EXPECT_EQ(Age("a"), Millis(0));
}

TEST_F(CoverTest, APushOfUsageLeavesASuspectRecordSuspect) {
  Fetch("a");
  time_.Advance(Millis(10));
  GoLive();
  intake_.OnPush(UsagePush{.key = EntityKey("a", ""), .id = "f", .current_usage = 7});
  EXPECT_TRUE(Suspect("a"));
}

TEST_F(CoverTest, PushesForWhatIsNotHeldAreIgnored) {
  GoLive();
  intake_.OnPush(ListPush{.key = EntityKey("b", ""), .entitlements = Of({Metered("f", 99, 1)})});
  const EpochDomain::Guard guard(epochs_);
  EXPECT_EQ(cache_.Find({"b", ""}), nullptr);
}

TEST_F(CoverTest, AfterAGapTheHottestAreRefreshedAtABoundedRate) {
  for (int i = 0; i < 20; ++i) {
    Fetch(std::to_string(i));
    hottest_.emplace_back(std::to_string(i), "");
  }
  time_.Advance(Millis(1));
  GoLive();
  time_.Advance(Millis(100));
  EXPECT_EQ(source_.fetches, 5U) << "one every 20 ms";
  time_.Advance(Millis(1'000));
  EXPECT_EQ(source_.fetches, 8U) << "eight at a time";
  while (!source_.waiting.empty()) {
    source_.Answer(Of({Metered("f", 10, 2)}));
    time_.Advance(Millis(100));
  }
  EXPECT_EQ(source_.fetches, 20U);
  EXPECT_FALSE(Suspect("7"));
  EXPECT_EQ(refresh_.queued(), 0U);
}

TEST_F(CoverTest, WhatAReadHasRefreshedMeanwhileIsNotRefreshedAgain) {
  Fetch("a");
  hottest_.emplace_back("a", "");
  time_.Advance(Millis(1));
  GoLive();
  Fetch("a");
  time_.Advance(Millis(1'000));
  EXPECT_EQ(source_.fetches, 0U);
}

}  // namespace
}  // namespace sidecar
