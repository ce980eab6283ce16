#include "adapters/upstream/key_prober.h"

#include <gtest/gtest.h>

#include <deque>

#include "support/sim_clock.h"

namespace sidecar {
namespace {

class KeyProberTest : public ::testing::Test {
 protected:
  void Answer(const absl::Status& status, bool invalid_key = false) {
    KeyProber::CheckDone done = std::move(checks_.front());
    checks_.pop_front();
    std::move(done)(status, invalid_key);
  }
  void Reject() { Answer(absl::UnauthenticatedError("Unauthenticated"), /*invalid_key=*/true); }

  testing::SimTime time_;
  Metrics metrics_;
  std::deque<KeyProber::CheckDone> checks_;
  KeyProber prober_{time_, time_, metrics_, [this](KeyProber::CheckDone done) { checks_.push_back(std::move(done)); }};
};

TEST_F(KeyProberTest, TheStartEndsWhateverTheOutcome) {
  bool ended = false;
  prober_.Start([&] { ended = true; });
  EXPECT_FALSE(ended);
  Answer(absl::UnavailableError("down"));
  EXPECT_TRUE(ended);
  EXPECT_EQ(metrics_.initialization_errors.value(), 1U);
  EXPECT_EQ(time_.pending_timers(), 0U) << "reads find out when upstream is back";
}

TEST_F(KeyProberTest, ARejectedKeyIsAskedAboutEveryFifteenSecondsUntilItIsAccepted) {
  prober_.Start([] {});
  Reject();
  EXPECT_TRUE(prober_.rejected());
  for (int i = 0; i < 3; ++i) {
    time_.Advance(Millis(14'999));
    EXPECT_TRUE(checks_.empty());
    time_.Advance(Millis(1));
    ASSERT_EQ(checks_.size(), 1U);
    Reject();
  }
  EXPECT_EQ(metrics_.initialization_errors.value(), 1U) << "the start failed once";
  time_.Advance(Millis(15'000));
  Answer(absl::OkStatus());
  EXPECT_FALSE(prober_.rejected());
  EXPECT_EQ(time_.pending_timers(), 0U);
}

TEST_F(KeyProberTest, AKeyThatIsRevokedInServiceIsAskedAboutToo) {
  prober_.Start([] {});
  Answer(absl::OkStatus());
  for (int i = 0; i < 100; ++i) prober_.NoteRejected();
  EXPECT_EQ(time_.pending_timers(), 1U) << "one timer, however many reads were refused";
  time_.Advance(Millis(15'000));
  EXPECT_EQ(checks_.size(), 1U);
}

TEST_F(KeyProberTest, ChangedKeysDoNotMultiplyTheProbes) {
  prober_.Start([] {});
  Reject();
  for (int i = 0; i < 5; ++i) {
    prober_.KeyChanged();
    ASSERT_EQ(checks_.size(), 1U) << "at once";
    Reject();
  }
  EXPECT_EQ(time_.pending_timers(), 1U);
}

TEST_F(KeyProberTest, AKeyThatChangesDuringItsCheckIsCheckedAgain) {
  prober_.Start([] {});
  prober_.KeyChanged();
  prober_.KeyChanged();
  EXPECT_EQ(checks_.size(), 1U);
  Reject();
  ASSERT_EQ(checks_.size(), 1U);
  Answer(absl::OkStatus());
  EXPECT_FALSE(prober_.rejected());
  EXPECT_EQ(time_.pending_timers(), 0U);
}

TEST_F(KeyProberTest, AnOutageDoesNotEndTheProbingOfARejectedKey) {
  prober_.Start([] {});
  Reject();
  time_.Advance(Millis(15'000));
  Answer(absl::UnavailableError("down"));
  EXPECT_EQ(time_.pending_timers(), 1U);
}

}  // namespace
}  // namespace sidecar
