#include "recording/replay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/temporary_directory.h"
#include "unit/recording/recorded_life.h"

namespace sidecar::recording {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::IsEmpty;
using testing::RecordedLife;
using ::testing::SizeIs;
using testing::TemporaryDirectory;

struct Replayed {
  ReplayReport report;
  std::vector<AnswerDiffers> differences;
  size_t progress = 0;
};

Replayed ReplayAll(const Recording& recording) {
  Replayed out;
  out.report = Replay(recording, {.differs = [&](const AnswerDiffers& each) { out.differences.push_back(each); },
                                  .progress = [&](size_t, size_t) { ++out.progress; }});
  return out;
}

Recording RecordLife(const std::string& path, uint64_t seed, int requests) {
  auto life = std::make_unique<RecordedLife>(path, seed);
  EXPECT_TRUE(life->begun.ok()) << life->begun;
  life->Live(requests);
  EXPECT_EQ(life->unanswered, 0);
  absl::StatusOr<Recording> recording = ReadRecording(path);
  EXPECT_TRUE(recording.ok()) << recording.status();
  return *std::move(recording);
}

TEST(ReplayTest, TenThousandRequestsAreAnsweredTheSame) {
  const TemporaryDirectory directory;
  constexpr int kRequests = 10'000;
  const Recording recording = RecordLife(directory.File("recording"), 1, kRequests);
  EXPECT_EQ(recording.tail, "");
  const Replayed replayed = ReplayAll(recording);
  EXPECT_THAT(replayed.differences, IsEmpty());
  EXPECT_EQ(replayed.report.requests, kRequests);
  EXPECT_EQ(replayed.report.compared, kRequests);
  EXPECT_EQ(replayed.report.differing, 0);
  EXPECT_EQ(replayed.report.unanswered, 0);
  EXPECT_EQ(replayed.report.not_fetched, 0);
  EXPECT_GT(replayed.progress, 2);
}

TEST(ReplayTest, ManyLivesAreAnsweredTheSame) {
  const TemporaryDirectory directory;
  for (uint64_t seed = 2; seed < 22; ++seed) {
    const Replayed replayed = ReplayAll(RecordLife(directory.File("recording"), seed, 500));
    EXPECT_THAT(replayed.differences, IsEmpty()) << "seed " << seed;
    EXPECT_EQ(replayed.report.compared, 500) << "seed " << seed;
    EXPECT_EQ(replayed.report.not_fetched, 0) << "seed " << seed;
  }
}

TEST(ReplayTest, NamesTheAnswerThatWasAnotherOne) {
  const TemporaryDirectory directory;
  Recording recording = RecordLife(directory.File("recording"), 3, 300);
  uint64_t changed = 0;
  for (Recording::Step& step : recording.steps) {
    if (!step.event.has_answer() || changed != 0) continue;
    stigg::sidecar::v1::GetMeteredEntitlementResponse answer;
    if (!answer.ParseFromString(step.event.answer().message()) || !answer.has_entitlement()) continue;
    changed = step.event.answer().request();
    answer.set_has_access(!answer.has_access());
    step.event.mutable_answer()->set_message(answer.SerializeAsString());
  }
  ASSERT_NE(changed, 0);
  const Replayed replayed = ReplayAll(recording);
  ASSERT_THAT(replayed.differences, SizeIs(1));
  EXPECT_EQ(replayed.differences[0].request, changed);
  ASSERT_THAT(replayed.differences[0].fields, SizeIs(1));
  EXPECT_EQ(replayed.differences[0].fields[0].path, "has_access");
  EXPECT_EQ(replayed.report.differing, 1);
}

TEST(ReplayTest, ComparesStatuses) {
  const TemporaryDirectory directory;
  Recording recording = RecordLife(directory.File("recording"), 4, 300);
  for (Recording::Step& step : recording.steps) {
    if (!step.event.has_answer() || step.event.answer().code() != 0) continue;
    step.event.mutable_answer()->set_code(static_cast<uint32_t>(absl::StatusCode::kInternal));
    break;
  }
  const Replayed replayed = ReplayAll(recording);
  ASSERT_THAT(replayed.differences, SizeIs(1));
  EXPECT_EQ(replayed.differences[0].fields[0].path, "(status)");
  EXPECT_EQ(replayed.differences[0].fields[0].recorded, "INTERNAL");
  EXPECT_EQ(replayed.differences[0].fields[0].replayed, "OK");
}

TEST(ReplayTest, AnAnswerThatIsNotGivenAnyMoreDiffers) {
  const TemporaryDirectory directory;
  Recording recording = RecordLife(directory.File("recording"), 5, 200);
  // Without ticks nobody's deadline passes, and what upstream does not answer stays open.
  std::erase_if(recording.steps,
                [](const Recording::Step& step) { return step.event.has_tick() || step.event.has_fetched(); });
  const Replayed replayed = ReplayAll(recording);
  EXPECT_GT(replayed.report.differing, 0);
  EXPECT_GT(replayed.report.not_recorded, 0);
  bool missing = false;
  for (const AnswerDiffers& each : replayed.differences) missing |= each.fields[0].path == "(answer)";
  EXPECT_TRUE(missing);
}

TEST(ReplayTest, CountsWhatWasNotAskedForAgain) {
  const TemporaryDirectory directory;
  Recording recording = RecordLife(directory.File("recording"), 6, 200);
  for (Recording::Step& step : recording.steps) {
    if (step.event.has_fetched()) {
      step.event.mutable_fetched()->set_ordinal(1'000);
      break;
    }
  }
  EXPECT_EQ(ReplayAll(recording).report.not_fetched, 1);
}

TEST(ReplayTest, WhatIsTornAtTheEndIsLeftOut) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("recording");
  const Recording whole = RecordLife(path, 7, 200);
  const std::string bytes = testing::Contents(path);
  testing::SetContents(path, bytes.substr(0, bytes.size() - 3));
  const absl::StatusOr<Recording> torn = ReadRecording(path);
  ASSERT_TRUE(torn.ok());
  EXPECT_EQ(torn->steps.size() + 1, whole.steps.size());
  EXPECT_NE(torn->tail, "");
  EXPECT_THAT(ReplayAll(*torn).differences, IsEmpty());
}

TEST(ReplayTest, FewerReceiptsThanReportsAreNoAnswer) {
  const TemporaryDirectory directory;
  Recording recording = RecordLife(directory.File("recording"), 8, 500);
  size_t emptied = 0;
  for (auto& step : recording.steps) {
    if (!step.event.has_reported() || step.event.reported().receipts().empty()) continue;
    step.event.mutable_reported()->clear_receipts();
    ++emptied;
  }
  ASSERT_GT(emptied, 0u);
  // What was reported is missing from later reads too.
  EXPECT_THAT(ReplayAll(recording).differences,
              Contains(AllOf(Field(&AnswerDiffers::method, Method::kReportUsage),
                             Field(&AnswerDiffers::fields,
                                   ElementsAre(AllOf(Field(&AnswerDiffers::Field::path, "(status)"),
                                                     Field(&AnswerDiffers::Field::replayed, "INTERNAL")))))));
}

TEST(ReplayTest, ReportsAreNotComparedWhereASpoolMayHaveTakenThem) {
  const TemporaryDirectory directory;
  Recording recording = RecordLife(directory.File("recording"), 8, 500);
  const uint64_t all = ReplayAll(recording).report.compared;
  recording.header.set_spool(true);
  const Replayed replayed = ReplayAll(recording);
  EXPECT_THAT(replayed.differences, IsEmpty());
  EXPECT_LT(replayed.report.compared, all);
}

}  // namespace
}  // namespace sidecar::recording
