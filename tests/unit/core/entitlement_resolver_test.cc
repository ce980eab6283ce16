#include "core/entitlement_resolver.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/builders.h"
#include "support/definitions.h"
#include "support/fake_source.h"
#include "support/sim_clock.h"

namespace sidecar {
namespace {

using testing::Boolean;
using testing::FakeSource;
using testing::FixedRandom;
using testing::Metered;
using testing::Of;
using testing::PlainDefinitions;
using testing::SimTime;
using Patience = EntitlementResolver::Patience;

constexpr Millis kLong{5'000};

class ResolverTest : public ::testing::Test {
 protected:
  explicit ResolverTest(ResolverSettings settings = {}) : settings_(settings) {}

  /// What one waiting caller got.
  struct Got {
    int times = 0;
    bool record = false;
    bool fetched = false;
    double limit = -1;
  };

  std::shared_ptr<Got> Resolve(const std::string& customer, Patience patience = Patience::kDeadline,
                               Millis within = kLong) {
    auto got = std::make_shared<Got>();
    resolver_.Resolve({customer, ""}, patience, time_.Now() + within, [got](const Resolution& resolution) {
      ++got->times;
      got->record = resolution.record != nullptr;
      got->fetched = resolution.fetched;
      if (resolution.record != nullptr && resolution.record->feature_count() > 0) {
        FeatureView view;
        resolution.record->ReadFeature(0, view);
        got->limit = view.usage_limit.value_or(-2);
      }
    });
    return got;
  }

  const Record* Find(const std::string& customer) { return cache_.Find({customer, ""}); }

  /// Stores a record as if it had been fetched now.
  void Warm(const std::string& customer, double limit) {
    const auto got = Resolve(customer);
    source_.Answer(Of({Metered("f", limit, 0)}));
    ASSERT_EQ(got->times, 1);
  }

  const ResolverSettings settings_;
  SimTime time_;
  FixedRandom random_;
  Definitions definitions_ = PlainDefinitions();
  EpochDomain epochs_;
  EntitlementCache cache_{{.limit_bytes = 8 << 20, .shards = 4}, epochs_, definitions_};
  Metrics metrics_;
  LiveCover cover_;
  RecordDoor door_{cache_, time_, random_, cover_, settings_.freshness};
  FakeSource source_;
  FakeSource reload_source_;
  EntitlementResolver resolver_{cache_, door_, cover_, source_, reload_source_, time_, time_, metrics_, settings_};
};

TEST_F(ResolverTest, FetchesOnceForManyWaiters) {
  std::vector<std::shared_ptr<Got>> all;
  for (int i = 0; i < 10'000; ++i) all.push_back(Resolve("a"));
  EXPECT_EQ(source_.fetches, 1U);
  source_.Answer(Of({Metered("f", 5, 0)}));
  for (const auto& got : all) {
    ASSERT_EQ(got->times, 1);
    ASSERT_TRUE(got->fetched);
    ASSERT_EQ(got->limit, 5);
  }
  EXPECT_EQ(metrics_.coalesced_reads.value(), 9'999U);
  EXPECT_EQ(time_.pending_timers(), 0U);
}

TEST_F(ResolverTest, StoresWhatItFetched) {
  Resolve("a");
  source_.Answer(Of({Metered("f", 5, 0)}));
  ASSERT_NE(Find("a"), nullptr);
}

TEST_F(ResolverTest, DifferentCustomersAreFetchedSeparately) {
  Resolve("a");
  Resolve("b");
  EXPECT_EQ(source_.fetches, 2U);
}

TEST_F(ResolverTest, AFailureGivesEveryWaiterNothing) {
  const auto one = Resolve("a");
  const auto two = Resolve("a");
  source_.Fail();
  EXPECT_EQ(one->times, 1);
  EXPECT_EQ(two->times, 1);
  EXPECT_FALSE(one->record);
  EXPECT_FALSE(one->fetched);
}

TEST_F(ResolverTest, AfterAFailureTheNextReadTriesAgain) {
  Resolve("a");
  source_.Fail();
  Resolve("a");
  EXPECT_EQ(source_.fetches, 2U);
}

TEST_F(ResolverTest, EachWaiterKeepsItsOwnDeadline) {
  const auto hasty = Resolve("a", Patience::kDeadline, Millis(100));
  const auto patient = Resolve("a", Patience::kDeadline, Millis(500));
  time_.Advance(Millis(100));
  EXPECT_EQ(hasty->times, 1);
  EXPECT_FALSE(hasty->record);
  EXPECT_EQ(patient->times, 0);
  source_.Answer(Of({Metered("f", 5, 0)}));
  EXPECT_EQ(patient->times, 1);
  EXPECT_TRUE(patient->fetched);
  EXPECT_EQ(hasty->times, 1);
}

TEST_F(ResolverTest, ALateAnswerStillFillsTheCache) {
  const auto got = Resolve("a", Patience::kDeadline, Millis(200));
  time_.Advance(Millis(200));
  EXPECT_EQ(got->times, 1);
  time_.Advance(Millis(9'000));
  source_.Answer(Of({Metered("f", 5, 0)}));
  EXPECT_NE(Find("a"), nullptr);
  EXPECT_EQ(got->times, 1);
}

TEST_F(ResolverTest, ADeadlineThatPassedIsAnsweredAtOnceAndTheFetchFillsTheCache) {
  const auto got = Resolve("a", Patience::kDeadline, Millis(0));
  EXPECT_EQ(got->times, 1);
  EXPECT_FALSE(got->record);
  source_.Answer(Of({Metered("f", 5, 0)}));
  EXPECT_NE(Find("a"), nullptr);
  EXPECT_EQ(got->times, 1);
}

TEST_F(ResolverTest, TheFetchHasADeadlineOfItsOwn) {
  Resolve("a", Patience::kDeadline, Millis(50));
  EXPECT_EQ(source_.waiting.front().deadline, time_.Now() + settings_.fetch_timeout);
}

TEST_F(ResolverTest, ARefreshIsWaitedForWithinTheBudgetOnly) {
  Warm("a", 5);
  time_.Advance(Millis(31'000));
  const auto got = Resolve("a", Patience::kReadBudget);
  time_.Advance(Millis(249));
  EXPECT_EQ(got->times, 0);
  time_.Advance(Millis(1));
  EXPECT_EQ(got->times, 1);
  EXPECT_TRUE(got->record);
  EXPECT_FALSE(got->fetched);
  EXPECT_EQ(got->limit, 5);
}

TEST_F(ResolverTest, ARefreshInTimeIsAnswered) {
  Warm("a", 5);
  const auto got = Resolve("a", Patience::kReadBudget);
  source_.Answer(Of({Metered("f", 6, 0)}));
  EXPECT_TRUE(got->fetched);
  EXPECT_EQ(got->limit, 6);
}

TEST_F(ResolverTest, NobodyWaitsTwiceBehindTheSameSlowRefresh) {
  Warm("a", 5);
  Resolve("a", Patience::kReadBudget);
  time_.Advance(Millis(250));
  EXPECT_FALSE(MayRefresh(*Find("a"), time_.Now()));
  EXPECT_TRUE(MayFetch(*Find("a"), time_.Now())) << "what is over waits for the fetch that is under way";
  EXPECT_EQ(Resolve("a", Patience::kReadBudget)->times, 1);
  time_.Advance(Millis(1'000));
  EXPECT_TRUE(MayRefresh(*Find("a"), time_.Now())) << "never for ever, whatever became of the refresh";
  EXPECT_EQ(Resolve("a", Patience::kReadBudget)->times, 1) << "still the same one";
  EXPECT_EQ(source_.fetches, 2U);
  EXPECT_FALSE(MayRefresh(*Find("a"), time_.Now()));
  source_.Answer(Of({Metered("f", 6, 0)}));
  EXPECT_TRUE(MayRefresh(*Find("a"), time_.Now()));
}

TEST_F(ResolverTest, NothingIsAskedOfAnUpstreamThatKeepsFailing) {
  Warm("a", 5);
  source_.is_available = false;
  const auto suspect = Resolve("a", Patience::kReadBudget);
  EXPECT_EQ(suspect->times, 1);
  EXPECT_EQ(suspect->limit, 5);
  EXPECT_TRUE(MayRefresh(*Find("a"), time_.Now())) << "asked again as soon as upstream is back";
  const auto miss = Resolve("b");
  EXPECT_EQ(miss->times, 1);
  EXPECT_FALSE(miss->record);
  EXPECT_EQ(source_.fetches, 1U);
}

TEST_F(ResolverTest, AnOverrunIsToldToTheSourceOncePerFetch) {
  Warm("a", 5);
  Resolve("a", Patience::kReadBudget);
  Resolve("a", Patience::kReadBudget);
  time_.Advance(Millis(250));
  EXPECT_EQ(source_.too_slow, 1U);
}

TEST_F(ResolverTest, FetchesThatEndAtOnceDoNotNest) {
  std::vector<std::shared_ptr<Got>> all;
  for (int i = 0; i < 10'000; ++i) all.push_back(Resolve(std::to_string(i)));
  source_.fail_at_once = true;
  source_.Fail();
  while (!source_.waiting.empty()) source_.Fail();
  for (const auto& got : all) ASSERT_EQ(got->times, 1);
}

class NoBudgetTest : public ResolverTest {
 protected:
  NoBudgetTest() : ResolverTest({.read_budget = Millis(0)}) {}
};

TEST_F(NoBudgetTest, ASuspectRecordIsAnsweredAtOnceAndStillRefreshed) {
  Warm("a", 5);
  const auto got = Resolve("a", Patience::kReadBudget);
  EXPECT_EQ(got->times, 1);
  EXPECT_EQ(got->limit, 5);
  source_.Answer(Of({Metered("f", 6, 0)}));
  EXPECT_EQ(Resolve("a", Patience::kReadBudget)->limit, 6);
}

TEST_F(ResolverTest, AFailedRefreshAnswersTheOldRecordAndBacksOff) {
  Warm("a", 5);
  const auto got = Resolve("a", Patience::kReadBudget);
  source_.Fail();
  EXPECT_EQ(got->times, 1);
  EXPECT_EQ(got->limit, 5);
  EXPECT_FALSE(got->fetched);
  EXPECT_FALSE(MayRefresh(*Find("a"), time_.Now()));
  time_.Advance(Millis(1'000));
  EXPECT_TRUE(MayRefresh(*Find("a"), time_.Now()));
}

TEST_F(ResolverTest, TheBackOffDoublesFromOneToThirtySeconds) {
  Warm("a", 5);
  for (const int seconds : {1, 2, 4, 8, 16, 30, 30}) {
    Resolve("a", Patience::kReadBudget);
    source_.Fail();
    time_.Advance(Millis(seconds * 1000 - 1));
    EXPECT_FALSE(MayRefresh(*Find("a"), time_.Now())) << seconds;
    time_.Advance(Millis(1));
    EXPECT_TRUE(MayRefresh(*Find("a"), time_.Now())) << seconds;
  }
}

TEST_F(ResolverTest, ASuccessEndsTheBackOff) {
  Warm("a", 5);
  Resolve("a", Patience::kReadBudget);
  source_.Fail();
  Resolve("a", Patience::kDeadline);
  source_.Answer(Of({Metered("f", 6, 0)}));
  EXPECT_TRUE(MayRefresh(*Find("a"), time_.Now()));
  EXPECT_EQ(Find("a")->refresh_failures, 0);
}

TEST_F(ResolverTest, ReloadReplacesThroughItsOwnSource) {
  Warm("a", 5);
  bool exists = false;
  resolver_.Reload({"a", ""}, time_.Now() + kLong,
                   [&](const Resolution& resolution) { exists = resolution.record != nullptr; });
  EXPECT_EQ(source_.fetches, 1U);
  reload_source_.Answer(Of({Boolean("g")}));
  EXPECT_TRUE(exists);
  EXPECT_EQ(Find("a")->FindFeature("g"), 0);
}

TEST_F(ResolverTest, AFailedReloadHasNoRecordAndKeepsTheOldOne) {
  Warm("a", 5);
  bool called = false;
  resolver_.Reload({"a", ""}, time_.Now() + kLong, [&](const Resolution& resolution) {
    called = true;
    EXPECT_EQ(resolution.record, nullptr);
  });
  reload_source_.Fail();
  EXPECT_TRUE(called);
  EXPECT_NE(Find("a"), nullptr);
}

class SmallResolverTest : public ResolverTest {
 protected:
  SmallResolverTest() : ResolverTest({.fetches_max = 2, .queue_max = 3, .waiters_max = 8}) {}
};

TEST_F(SmallResolverTest, FetchesUnderWayAreBoundedAndTheRestIsQueued) {
  std::vector<std::shared_ptr<Got>> all;
  for (int i = 0; i < 5; ++i) all.push_back(Resolve("c" + std::to_string(i)));
  EXPECT_EQ(source_.fetches, 2U);
  for (int i = 0; i < 5; ++i) source_.Answer(Of({Boolean("f")}));
  EXPECT_EQ(source_.fetches, 5U);
  for (const auto& got : all) EXPECT_TRUE(got->fetched);
}

TEST_F(SmallResolverTest, BeyondTheQueueReadsAreAnsweredAtOnce) {
  for (int i = 0; i < 5; ++i) Resolve("c" + std::to_string(i));
  const auto shed = Resolve("one-too-many");
  EXPECT_EQ(shed->times, 1);
  EXPECT_FALSE(shed->record);
  EXPECT_EQ(metrics_.shed_fetches.value(), 1U);
}

TEST_F(SmallResolverTest, AQueuedFetchThatNobodyWaitsForAnyMoreStillFillsTheCache) {
  Resolve("a");
  Resolve("b");
  const auto queued = Resolve("c", Patience::kDeadline, Millis(10));
  time_.Advance(Millis(10));
  EXPECT_EQ(queued->times, 1);
  for (int i = 0; i < 3; ++i) source_.Answer(Of({Boolean("f")}));
  EXPECT_NE(Find("c"), nullptr);
  EXPECT_EQ(resolver_.fetches(), 0U);
}

TEST_F(SmallResolverTest, WaitersAreBounded) {
  std::vector<std::shared_ptr<Got>> all;
  for (int i = 0; i < 9; ++i) all.push_back(Resolve("a"));
  EXPECT_EQ(all.back()->times, 1);
  EXPECT_EQ(metrics_.refused_waiters.value(), 1U);
  source_.Answer(Of({Boolean("f")}));
  EXPECT_EQ(all.front()->times, 1);
}

TEST_F(SmallResolverTest, ARefreshIsNotWaitedForWhenNoPlaceIsFree) {
  Warm("a", 5);
  Resolve("x");
  Resolve("y");
  const auto got = Resolve("a", Patience::kReadBudget);
  EXPECT_EQ(got->times, 1);
  EXPECT_EQ(got->limit, 5);
  EXPECT_EQ(source_.fetches, 3U);
}

TEST_F(ResolverTest, ARecordThatCannotBeCachedStillReachesItsWaiters) {
  const auto got = Resolve("a");
  const std::vector<std::string> values(1000, std::string(2000, 'x'));
  source_.Answer(Of({testing::Enum("e", values)}));  // 2 MB, beyond an eighth of 8 MiB
  EXPECT_TRUE(got->record);
  EXPECT_TRUE(got->fetched);
  EXPECT_EQ(Find("a"), nullptr);
}

}  // namespace
}  // namespace sidecar
