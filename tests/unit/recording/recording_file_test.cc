#include "recording/recording_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "support/temporary_directory.h"
#include "unit/recording/recorded_life.h"

namespace sidecar::recording {
namespace {

using testing::Contents;
using ::testing::HasSubstr;
using testing::SetContents;
using testing::TemporaryDirectory;

TEST(RecordingFileTest, OnlyItsOwnerReadsIt) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("recording");
  ASSERT_TRUE(RecordingFile::Create({.path = path}, "").ok());
  struct stat info {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600);
}

TEST(RecordingFileTest, ReplacesARecordingAndNothingElse) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("recording");
  ASSERT_TRUE(RecordingFile::Create({.path = path}, "first").ok());
  ASSERT_TRUE(RecordingFile::Create({.path = path}, "second").ok());
  SetContents(path, "somebody's thesis");
  const auto refused = RecordingFile::Create({.path = path}, "third");
  EXPECT_TRUE(absl::IsUnavailable(refused.status()));
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("is no recording"));
  EXPECT_EQ(Contents(path), "somebody's thesis");
}

TEST(RecordingFileTest, SaysWhyItCannotBeMade) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("none/recording");
  const auto refused = RecordingFile::Create({.path = path}, "");
  EXPECT_TRUE(absl::IsUnavailable(refused.status()));
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr(path));
}

TEST(RecordingFileTest, EndsWhereItIsFull) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("recording");
  constexpr uint64_t kMost = 100'000;
  testing::RecordedLife life(path, 1, kMost);
  life.Live(5'000);  // more than that
  EXPECT_LE(Contents(path).size(), kMost);
  EXPECT_GT(Contents(path).size(), kMost * 9 / 10);
  const absl::StatusOr<Recording> recording = ReadRecording(path);
  ASSERT_TRUE(recording.ok());
  EXPECT_EQ(recording->tail, "");
  EXPECT_GT(recording->steps.size(), 100);
}

TEST(RecordingFileTest, EndsWhenTheDiskIsTooSlow) {
  const TemporaryDirectory directory;
  auto file = RecordingFile::Create({.path = directory.File("recording"), .queued_bytes_max = 1'000}, "");
  ASSERT_TRUE(file.ok());
  (*file)->Append(std::string(2'000, 'x'));
  EXPECT_FALSE((*file)->writing());
}

TEST(ReadRecordingTest, RefusesWhatIsNone) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("recording");
  EXPECT_TRUE(absl::IsNotFound(ReadRecording(path).status()));
  SetContents(path, "short");
  EXPECT_TRUE(absl::IsDataLoss(ReadRecording(path).status()));
  SetContents(path, std::string(100, 'x'));
  EXPECT_THAT(std::string(ReadRecording(path).status().message()), HasSubstr("does not begin as a recording does"));
}

}  // namespace
}  // namespace sidecar::recording
