#include "adapters/snapshot/snapshot_file.h"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <memory>

#include "support/sim_clock.h"
#include "support/snapshot_entries.h"
#include "support/temporary_directory.h"
#include "text/text.h"

namespace sidecar {
namespace {

using testing::Contents;
using ::testing::HasSubstr;
using testing::kKeepGoing;
using testing::RandomEntries;
using testing::ReadAll;
using testing::Same;
using testing::SetContents;
using ::testing::UnorderedElementsAre;
using testing::WriteAll;

class SnapshotFileTest : public ::testing::Test {
 protected:
  SnapshotFile::Options OptionsOf(std::string url, std::string key) {
    return {.path = path_,
            .environment = {.urls = {std::move(url)}, .api_key = [key = std::move(key)] { return key; }}};
  }
  std::unique_ptr<SnapshotFile> Make() { return std::make_unique<SnapshotFile>(OptionsOf("https://a", "key"), time_); }

  static std::vector<SnapshotEntry> Some(int count, uint32_t seed = 1) {
    RandomEntries random(seed);
    std::vector<SnapshotEntry> entries;
    for (int i = 0; i < count; ++i) entries.push_back(random.Next());
    return entries;
  }

  /// What a process started now would find.
  std::vector<SnapshotEntry> Restart(absl::Status* status = nullptr) {
    absl::Status ignored;
    return ReadAll(*Make(), status == nullptr ? ignored : *status);
  }

  testing::TemporaryDirectory directory_;
  const std::string path_ = directory_.File("snapshot");
  testing::SimTime time_;
};

TEST_F(SnapshotFileTest, GivesBackEveryMemberHotOnesFirst) {
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    const std::vector<SnapshotEntry> entries = Some(30, seed);
    const absl::StatusOr<SnapshotSize> size = WriteAll(*Make(), entries);
    ASSERT_TRUE(size.ok()) << Message(size.status());
    EXPECT_EQ(size->records, entries.size());
    EXPECT_EQ(size->bytes, std::filesystem::file_size(path_));
    EXPECT_TRUE(size->complete);

    absl::Status status;
    const std::vector<SnapshotEntry> read = Restart(&status);
    EXPECT_TRUE(status.ok()) << Message(status);
    ASSERT_EQ(read.size(), entries.size());
    size_t at = 0;
    for (const bool hot : {true, false}) {
      for (const SnapshotEntry& entry : entries) {
        if (entry.hot == hot) {
          EXPECT_TRUE(Same(read[at++], entry)) << "seed " << seed;
        }
      }
    }
  }
}

TEST_F(SnapshotFileTest, DefinitionsAreKeptOnce) {
  std::vector<SnapshotEntry> entries(1000);
  const std::string unit(500, 'u');
  for (size_t i = 0; i < entries.size(); ++i) {
    entries[i].key = EntityKey(std::to_string(i), "");
    entries[i].entitlements = testing::Of({testing::Metered("f", 5, 1)});
    entries[i].entitlements.features[0].feature.units = unit;
  }
  ASSERT_TRUE(WriteAll(*Make(), entries).ok());
  EXPECT_LT(std::filesystem::file_size(path_), 100'000U);
}

TEST_F(SnapshotFileTest, OnlyItsOwnerMayReadItAndNothingElseIsLeft) {
  ASSERT_TRUE(WriteAll(*Make(), Some(3)).ok());
  struct stat info {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  EXPECT_THAT(directory_.FileNames(), UnorderedElementsAre("snapshot", "snapshot.lock"));
}

TEST_F(SnapshotFileTest, ThereIsNoneAtFirst) {
  absl::Status status;
  EXPECT_TRUE(Restart(&status).empty());
  EXPECT_TRUE(absl::IsNotFound(status)) << Message(status);
}

TEST_F(SnapshotFileTest, ReadingEndsWhenNoMoreAreWanted) {
  ASSERT_TRUE(WriteAll(*Make(), Some(10)).ok());
  int taken = 0;
  EXPECT_TRUE(Make()->Read([&](const SnapshotEntry&) { return ++taken < 4; }).ok());
  EXPECT_EQ(taken, 4);
}

TEST_F(SnapshotFileTest, StaysWithinItsBound) {
  SnapshotFile::Options options = OptionsOf("https://a", "key");
  options.bytes_max = 2000;
  const absl::StatusOr<SnapshotSize> size = WriteAll(*std::make_unique<SnapshotFile>(options, time_), Some(500));
  ASSERT_TRUE(size.ok());
  EXPECT_FALSE(size->complete);
  EXPECT_LE(std::filesystem::file_size(path_), 2000U);
  absl::Status status;
  EXPECT_EQ(Restart(&status).size(), size->records);
  EXPECT_GT(size->records, 0U);
  EXPECT_TRUE(status.ok());
}

TEST_F(SnapshotFileTest, GivingUpLeavesTheFormerOne) {
  ASSERT_TRUE(WriteAll(*Make(), Some(3)).ok());
  const std::string before = Contents(path_);
  const std::vector<SnapshotEntry> more = Some(2000);
  for (int allowed = 0; allowed < 5; ++allowed) {
    size_t next = 0;
    int steps = 0;
    const auto size =
        Make()->Write([&]() -> const SnapshotEntry* { return next < more.size() ? &more[next++] : nullptr; },
                      [&] { return steps++ < allowed; });
    EXPECT_TRUE(absl::IsCancelled(size.status())) << allowed;
    EXPECT_EQ(Contents(path_), before);
    EXPECT_THAT(directory_.FileNames(), UnorderedElementsAre("snapshot", "snapshot.lock"));
  }
}

TEST_F(SnapshotFileTest, AProcessKilledWhileItWritesLeavesTheFormerOne) {
  const std::vector<SnapshotEntry> entries = Some(3);
  ASSERT_TRUE(WriteAll(*Make(), entries).ok());
  const std::vector<SnapshotEntry> more = Some(2000);
  for (const size_t last : {size_t{0}, size_t{1}, size_t{1999}}) {
    const pid_t child = fork();
    if (child == 0) {
      size_t next = 0;
      (void)Make()->Write(
          [&]() -> const SnapshotEntry* {
            if (next == last) raise(SIGKILL);
            return &more[next++];
          },
          kKeepGoing);
      _exit(1);
    }
    int ended = 0;
    ASSERT_EQ(waitpid(child, &ended, 0), child);
    ASSERT_TRUE(WIFSIGNALED(ended));
    EXPECT_TRUE(std::filesystem::exists(path_ + ".tmp"));
    absl::Status status;
    EXPECT_EQ(Restart(&status).size(), entries.size());
    EXPECT_TRUE(status.ok());
    EXPECT_FALSE(std::filesystem::exists(path_ + ".tmp"));
  }
}

TEST_F(SnapshotFileTest, ALeftoverThatIsALinkIsNotFollowed) {
  const std::string elsewhere = directory_.File("elsewhere");
  SetContents(elsewhere, "precious");
  std::filesystem::create_symlink(elsewhere, path_ + ".tmp");
  ASSERT_TRUE(WriteAll(*Make(), Some(3)).ok());
  EXPECT_EQ(Contents(elsewhere), "precious");
}

TEST_F(SnapshotFileTest, ASecondProcessIsToldSoUntilTheFirstEnds) {
  auto first = Make();
  ASSERT_TRUE(WriteAll(*first, Some(3)).ok());
  auto second = Make();
  absl::Status status;
  EXPECT_TRUE(ReadAll(*second, status).empty());
  EXPECT_TRUE(absl::IsAborted(status)) << Message(status);
  EXPECT_THAT(std::string(Message(status)), HasSubstr("another process"));
  EXPECT_TRUE(absl::IsAborted(WriteAll(*second, Some(5)).status()));
  EXPECT_TRUE(WriteAll(*first, Some(4)).ok());
  first.reset();
  EXPECT_TRUE(WriteAll(*second, Some(5)).ok());
}

TEST_F(SnapshotFileTest, TheLockIsOneBetweenProcesses) {
  auto first = Make();
  ASSERT_TRUE(WriteAll(*first, Some(3)).ok());
  const pid_t child = fork();
  // The child's copy of `first` shares its lock; a descriptor of its own does not.
  if (child == 0) _exit(absl::IsAborted(WriteAll(*Make(), Some(5)).status()) ? 0 : 1);
  int ended = 0;
  ASSERT_EQ(waitpid(child, &ended, 0), child);
  EXPECT_TRUE(WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
}

TEST_F(SnapshotFileTest, AnotherEnvironmentIsRefusedAndSetAside) {
  struct Case {
    std::string url, key, says;
  };
  for (const Case& other : {Case{"https://b", "key", "other API URLs"}, Case{"https://a", "kez", "another API key"}}) {
    ASSERT_TRUE(WriteAll(*Make(), Some(3)).ok());
    absl::Status status;
    EXPECT_TRUE(ReadAll(*std::make_unique<SnapshotFile>(OptionsOf(other.url, other.key), time_), status).empty());
    EXPECT_TRUE(absl::IsFailedPrecondition(status));
    EXPECT_THAT(std::string(Message(status)), HasSubstr(other.says));
    EXPECT_FALSE(std::filesystem::exists(path_));
  }
}

TEST_F(SnapshotFileTest, TheKeyIsNotInTheFileNorIsItsPlainHash) {
  const std::string key = "server-0123456789abcdef";
  std::vector<std::string> files;
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(WriteAll(*std::make_unique<SnapshotFile>(OptionsOf("https://a", key), time_), {}).ok());
    files.push_back(Contents(path_));
    EXPECT_THAT(files[i], ::testing::Not(HasSubstr(key)));
  }
  EXPECT_NE(files[0], files[1]);  // the salt
}

TEST_F(SnapshotFileTest, WhatIsNotAFileIsLeftAlone) {
  std::filesystem::create_directory(path_);
  absl::Status status;
  EXPECT_TRUE(Restart(&status).empty());
  EXPECT_TRUE(absl::IsUnavailable(status)) << Message(status);
  EXPECT_TRUE(absl::IsUnavailable(WriteAll(*Make(), Some(3)).status()));
  EXPECT_TRUE(std::filesystem::is_directory(path_));
  EXPECT_THAT(directory_.FileNames(), UnorderedElementsAre("snapshot", "snapshot.lock"));
}

TEST_F(SnapshotFileTest, AMissingDirectoryIsNamed) {
  SnapshotFile::Options options = OptionsOf("https://a", "key");
  options.path = directory_.File("none/snapshot");
  SnapshotFile file(options, time_);
  const absl::Status status = WriteAll(file, Some(3)).status();
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_THAT(std::string(Message(status)), HasSubstr(options.path));
}

TEST_F(SnapshotFileTest, AFullDiskLeavesTheFormerOneAndIsOvercome) {
  auto file = Make();
  ASSERT_TRUE(WriteAll(*file, Some(3)).ok());
  const std::string before = Contents(path_);
  // Ends a write as a full disk does, with another errno.
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
  const rlimit small{.rlim_cur = 100'000, .rlim_max = limit.rlim_max};
  const auto former = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const absl::Status status = WriteAll(*file, Some(2000)).status();
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  std::signal(SIGXFSZ, former);
  EXPECT_TRUE(absl::IsUnavailable(status)) << Message(status);
  EXPECT_EQ(Contents(path_), before);
  EXPECT_THAT(directory_.FileNames(), UnorderedElementsAre("snapshot", "snapshot.lock"));
  EXPECT_TRUE(WriteAll(*file, Some(2000)).ok());
}

TEST_F(SnapshotFileTest, AReadOnlyDirectoryIsReadAllTheSame) {
  ASSERT_TRUE(WriteAll(*Make(), Some(3)).ok());
  std::filesystem::remove(path_ + ".lock");
  constexpr uid_t kNobody = 65534;
  const bool root = geteuid() == 0;  // who may write everywhere
  if (root) {
    ASSERT_EQ(chown(path_.c_str(), kNobody, kNobody), 0);
    ASSERT_EQ(chown(directory_.path().c_str(), kNobody, kNobody), 0);
  }
  ASSERT_EQ(chmod(directory_.path().c_str(), 0500), 0);
  const pid_t child = fork();
  if (child == 0) {
    if (root && setresuid(kNobody, kNobody, kNobody) != 0) _exit(1);
    absl::Status status;
    if (Restart(&status).size() != 3 || !status.ok()) _exit(2);
    if (!absl::IsUnavailable(WriteAll(*Make(), Some(3)).status())) _exit(3);
    _exit(0);
  }
  int ended = 0;
  ASSERT_EQ(waitpid(child, &ended, 0), child);
  EXPECT_TRUE(WIFEXITED(ended));
  EXPECT_EQ(WEXITSTATUS(ended), 0);
}

}  // namespace
}  // namespace sidecar
