// Files that are not good: every byte, every length. Source of the rules: docs/adr/0013.
#include <fcntl.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>

#include "adapters/snapshot/frame.h"
#include "adapters/snapshot/snapshot_file.h"
#include "support/sim_clock.h"
#include "support/snapshot_entries.h"
#include "support/temporary_directory.h"
#include "text/text.h"

namespace sidecar {
namespace {

using snapshot::AppendFrame;
using snapshot::AppendPreamble;
using snapshot::FrameKind;
using testing::Contents;
using ::testing::HasSubstr;
using testing::ReadAll;
using testing::Same;
using testing::SetContents;
using ::testing::StartsWith;

class DamageTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (int i = 0; i < 4; ++i) {
      SnapshotEntry entry;
      entry.key = EntityKey("customer-" + std::to_string(i), "");
      entry.hot = true;
      entry.entitlements = testing::Of({testing::Metered("feature", 100 + i, i), testing::Enum("e", {"x"})},
                                       {testing::Credit("credit", 10, 5)});
      entries_.push_back(entry);
    }
    SnapshotFile file = Make();
    ASSERT_TRUE(testing::WriteAll(file, entries_).ok());
    good_ = Contents(path_);
  }

  SnapshotFile Make() {
    return SnapshotFile({.path = path_, .environment = {.urls = {"https://a"}, .api_key = [] { return "key"; }}},
                        time_);
  }

  struct Found {
    absl::Status status;
    std::vector<SnapshotEntry> entries;
  };
  Found Start(const std::string& bytes) {
    SetContents(path_, bytes);
    Found found;
    SnapshotFile file = Make();
    found.entries = ReadAll(file, found.status);
    return found;
  }

  /// Whether what was handed out are the first entries, unchanged.
  bool IsPrefix(const std::vector<SnapshotEntry>& read) const {
    return read.size() <= entries_.size() && std::equal(read.begin(), read.end(), entries_.begin(), Same);
  }

  std::vector<std::string> BadFiles() const {
    std::vector<std::string> bad;
    for (const std::string& name : directory_.FileNames()) {
      if (name.starts_with("snapshot.bad-")) bad.push_back(name);
    }
    std::sort(bad.begin(), bad.end());
    return bad;
  }

  /// Where the frames of the good file begin.
  std::vector<size_t> FrameOffsets() {
    SetContents(path_, good_);
    const auto file = snapshot::Open(path_, O_RDONLY);
    snapshot::FrameReader reader(file->fd(), good_.size());
    EXPECT_TRUE(reader.ReadPreamble().ok());
    std::vector<size_t> offsets;
    while (reader.Next().ok()) offsets.push_back(reader.frame_offset());
    return offsets;
  }

  testing::TemporaryDirectory directory_;
  const std::string path_ = directory_.File("snapshot");
  testing::SimTime time_;
  std::vector<SnapshotEntry> entries_;
  std::string good_;
};

TEST_F(DamageTest, EveryByteCounts) {
  for (size_t i = 0; i < good_.size(); ++i) {
    for (const int flip : {1, 0x80, 0xFF}) {
      std::string bytes = good_;
      bytes[i] = static_cast<char>(bytes[i] ^ flip);
      const Found found = Start(bytes);
      ASSERT_TRUE(absl::IsDataLoss(found.status)) << "byte " << i << ": " << Message(found.status);
      ASSERT_TRUE(IsPrefix(found.entries)) << "byte " << i;
      ASSERT_FALSE(std::filesystem::exists(path_)) << "byte " << i;
    }
  }
}

TEST_F(DamageTest, EveryLengthCountsAndTheGoodBeginningIsKept) {
  size_t kept = 0;
  for (size_t length = 0; length < good_.size(); ++length) {
    const Found found = Start(good_.substr(0, length));
    ASSERT_TRUE(absl::IsDataLoss(found.status)) << length << " bytes: " << Message(found.status);
    ASSERT_TRUE(IsPrefix(found.entries)) << length << " bytes";
    ASSERT_GE(found.entries.size(), kept);  // more bytes, no fewer entries
    kept = found.entries.size();
  }
  EXPECT_EQ(kept, entries_.size());
}

TEST_F(DamageTest, TheWholeFileIsGood) {
  const Found found = Start(good_);
  EXPECT_TRUE(found.status.ok()) << Message(found.status);
  EXPECT_EQ(found.entries.size(), entries_.size());
  EXPECT_TRUE(IsPrefix(found.entries));
}

TEST_F(DamageTest, NothingMayFollowTheEnd) {
  const Found found = Start(good_ + '\0');
  EXPECT_TRUE(absl::IsDataLoss(found.status));
  EXPECT_THAT(std::string(Message(found.status)), HasSubstr("is not the last one"));
}

TEST_F(DamageTest, AFrameThatIsMissingIsNoticed) {
  // A record's frame is cut out whole: only the count can tell.
  const std::vector<size_t> frames = FrameOffsets();
  const std::string before = good_.substr(0, frames[frames.size() - 2]);
  const std::string footer = good_.substr(frames.back());
  const Found found = Start(before + footer);
  EXPECT_TRUE(absl::IsDataLoss(found.status));
  EXPECT_THAT(std::string(Message(found.status)), HasSubstr("counts other records"));
  EXPECT_EQ(found.entries.size(), entries_.size() - 1);
}

TEST_F(DamageTest, ANewerFormatIsRefusedWhole) {
  std::string newer;
  snapshot::FileFormat next = snapshot::kSnapshotFormat;
  ++next.version;
  AppendPreamble(newer, next);
  const Found found = Start(newer + good_.substr(snapshot::kPreambleBytes));
  EXPECT_TRUE(absl::IsFailedPrecondition(found.status));
  EXPECT_THAT(std::string(Message(found.status)), HasSubstr("format version 2, this daemon reads version 1"));
  EXPECT_TRUE(found.entries.empty());
  EXPECT_EQ(BadFiles().size(), 1U);
}

TEST_F(DamageTest, FramesOfALaterBuildOfThisFormatAreLeftOut) {
  const size_t footer = FrameOffsets().back();
  std::string bytes = good_.substr(0, footer);
  AppendFrame(bytes, static_cast<FrameKind>('?'), "something new");
  const Found found = Start(bytes + good_.substr(footer));
  EXPECT_TRUE(found.status.ok()) << Message(found.status);
  EXPECT_EQ(found.entries.size(), entries_.size());
}

TEST_F(DamageTest, AGoodFrameWithoutSenseIsDamageToo) {
  struct Case {
    FrameKind kind;
    std::string payload;
  };
  const std::string no_protobuf("\x0A\x7F", 2);
  const std::string unknown_definition("\x42\x02\x08\x63", 4);  // features { definition: 99 }
  for (const Case& bad : {Case{FrameKind::kHotRecord, no_protobuf}, Case{FrameKind::kColdRecord, no_protobuf},
                          Case{FrameKind::kFeature, no_protobuf}, Case{FrameKind::kCurrency, no_protobuf},
                          Case{FrameKind::kHotRecord, unknown_definition}, Case{FrameKind::kHeader, ""},
                          Case{FrameKind::kFooter, no_protobuf}}) {
    const size_t footer = FrameOffsets().back();
    std::string bytes = good_.substr(0, footer);
    AppendFrame(bytes, bad.kind, bad.payload);
    const Found found = Start(bytes + good_.substr(footer));
    EXPECT_TRUE(absl::IsDataLoss(found.status)) << static_cast<char>(bad.kind);
    EXPECT_THAT(std::string(Message(found.status)), StartsWith("the frame at byte "));
    EXPECT_TRUE(IsPrefix(found.entries));
  }
}

TEST_F(DamageTest, ItIsSetAsideWithItsContentsAndTheNextOneIsWritten) {
  const std::string torn = good_.substr(0, good_.size() / 2);
  const Found found = Start(torn);
  ASSERT_EQ(BadFiles().size(), 1U);
  EXPECT_EQ(BadFiles()[0], "snapshot.bad-20261121T100000.000Z");
  EXPECT_EQ(Contents(directory_.File(BadFiles()[0])), torn);
  EXPECT_THAT(std::string(Message(found.status)), HasSubstr(BadFiles()[0]));
  SnapshotFile file = Make();
  EXPECT_TRUE(testing::WriteAll(file, entries_).ok());
}

TEST_F(DamageTest, ThreeAreKept) {
  for (int i = 0; i < 5; ++i) {
    Start("damaged " + std::to_string(i));
    time_.Advance(Millis(1500));
  }
  const std::vector<std::string> bad = BadFiles();
  ASSERT_EQ(bad.size(), 3U);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Contents(directory_.File(bad[i])), "damaged " + std::to_string(i + 2));
}

}  // namespace
}  // namespace sidecar
