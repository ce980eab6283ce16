#include "adapters/spool/sqlite_spool_store.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>

#include "adapters/spool/spool_codec.h"
#include "adapters/spool/spool_listing.h"
#include "support/sim_clock.h"
#include "support/status_matchers.h"

namespace sidecar {
namespace {

namespace fs = std::filesystem;
using absl::StatusCode;
using testing::FailsWith;
using testing::IsOk;
using StorePtr = std::unique_ptr<SqliteSpoolStore>;

constexpr std::chrono::seconds kPatience{20};

UsageReport Usage(const std::string& customer, const std::string& key) {
  return {.key = {customer, "r"}, .feature_id = "seats", .value = 1.25, .idempotency_key = key};
}

SpoolRecord Record(uint64_t sequence, SpoolItem item) {
  return {.sequence = sequence,
          .spooled_at = WallTimeFromEpochMs(1'795'255'200'000 + static_cast<int64_t>(sequence)),
          .bytes = 100,
          .item = std::move(item)};
}

/// What a call calls back with; fails the test when it does not.
template <typename T>
class Outcome {
 public:
  auto Set() {
    return [promise = std::move(promise_)](T value) mutable { promise.set_value(std::move(value)); };
  }
  T Get() {
    if (future_.wait_for(kPatience) != std::future_status::ready) throw std::runtime_error("no answer");
    return future_.get();
  }

 private:
  std::promise<T> promise_;
  std::future<T> future_ = promise_.get_future();
};

class SqliteSpoolStoreTest : public ::testing::Test {
 protected:
  SqliteSpoolStoreTest() {
    char name[] = "/tmp/spool-test-XXXXXX";
    folder_ = mkdtemp(name);
    path_ = folder_ / "spool.db";
  }
  ~SqliteSpoolStoreTest() override {
    fs::permissions(folder_, fs::perms::owner_all);
    fs::remove_all(folder_);
  }

  StorePtr Open(uint64_t dead_bytes_max = 1 << 20) {
    absl::StatusOr<StorePtr> store =
        SqliteSpoolStore::Open({.path = path_.string(), .dead_bytes_max = dead_bytes_max}, time_);
    EXPECT_THAT(store, IsOk());
    absl::StatusOr<SpoolIndex> index = (*store)->TakeIndex();
    EXPECT_THAT(index, IsOk());
    index_ = *std::move(index);
    return *std::move(store);
  }

  static absl::Status Append(SqliteSpoolStore& store, std::vector<SpoolRecord> records) {
    Outcome<absl::Status> outcome;
    store.Append(std::make_shared<const std::vector<SpoolRecord>>(std::move(records)), outcome.Set());
    return outcome.Get();
  }

  static absl::StatusOr<uint64_t> Settle(SqliteSpoolStore& store, std::vector<uint64_t> delivered,
                                         std::vector<DeadLetter> dead) {
    Outcome<absl::StatusOr<uint64_t>> outcome;
    store.Settle(std::move(delivered), std::move(dead), outcome.Set());
    return outcome.Get();
  }

  static absl::StatusOr<SpoolStore::Items> Read(SqliteSpoolStore& store, std::vector<uint64_t> sequences) {
    Outcome<absl::StatusOr<SpoolStore::Items>> outcome;
    store.Read(std::move(sequences), outcome.Set());
    return outcome.Get();
  }

  std::vector<DeadLetterListing> Dead() const {
    std::vector<DeadLetterListing> letters;
    EXPECT_THAT(ForEachDeadLetter(path_.string(), [&](const DeadLetterListing& each) { letters.push_back(each); }),
                IsOk());
    return letters;
  }

  testing::SimTime time_;
  fs::path folder_;
  fs::path path_;
  SpoolIndex index_;
};

TEST_F(SqliteSpoolStoreTest, HoldsRecordsAcrossLivesInOrder) {
  {
    const StorePtr store = Open();
    EXPECT_TRUE(index_.entries.empty());
    EXPECT_EQ(index_.next_sequence, 1U);
    EXPECT_THAT(Append(*store, {Record(1, Usage("a", "k1")), Record(2, Usage("b", "k2"))}), IsOk());
    EXPECT_THAT(Append(*store, {Record(3, UsageEvent{.event_name = "e", .key = {"a", ""}, .idempotency_key = "k3"})}),
                IsOk());
  }
  const StorePtr store = Open();
  ASSERT_EQ(index_.entries.size(), 3U);
  EXPECT_EQ(index_.next_sequence, 4U);
  EXPECT_EQ(index_.entries[0].customer_id, "a");
  EXPECT_EQ(index_.entries[0].bytes, 100U);
  EXPECT_EQ(ToEpochMs(index_.entries[1].spooled_at), 1'795'255'200'002);
  EXPECT_EQ(index_.entries[2].kind, SpoolKind::kEvent);
  const auto items = Read(*store, {3, 1, 9});
  ASSERT_THAT(items, IsOk());
  ASSERT_EQ(items->size(), 3U);
  EXPECT_EQ(std::get<UsageEvent>(*(*items)[0]).idempotency_key, "k3");
  EXPECT_EQ(std::get<UsageReport>(*(*items)[1]).idempotency_key, "k1");
  EXPECT_FALSE((*items)[2].has_value());
}

TEST_F(SqliteSpoolStoreTest, AnAcknowledgedRecordSurvivesSigkill) {
  const pid_t child = fork();
  if (child == 0) {
    // Only what is async-signal-safe and thread-free before: this process has one thread.
    const StorePtr store = Open();
    const bool kept = Append(*store, {Record(1, Usage("a", "k1"))}).ok();
    if (!kept) _exit(1);
    kill(getpid(), SIGKILL);
  }
  int ended = 0;
  ASSERT_EQ(waitpid(child, &ended, 0), child);
  ASSERT_TRUE(WIFSIGNALED(ended));
  const auto listings = ListSpool(path_.string());  // before anybody has recovered it
  ASSERT_THAT(listings, IsOk());
  EXPECT_EQ(listings->size(), 1U);
  const StorePtr store = Open();
  EXPECT_EQ(index_.entries.size(), 1U);
}

TEST_F(SqliteSpoolStoreTest, AppendsThatComeTogetherShareACommit) {
  const StorePtr store = Open();
  constexpr uint64_t kAppends = 200;
  // Holds the store's thread until all are queued.
  std::promise<void> queued;
  const std::shared_future<void> all_queued = queued.get_future().share();
  store->Read({}, [all_queued](absl::StatusOr<SpoolStore::Items>) { all_queued.wait(); });
  std::vector<Outcome<absl::Status>> outcomes(kAppends);
  for (uint64_t i = 0; i < kAppends; ++i) {
    store->Append(std::make_shared<const std::vector<SpoolRecord>>(1, Record(i + 1, Usage("a", "k"))),
                  outcomes[i].Set());
  }
  queued.set_value();
  for (auto& outcome : outcomes) EXPECT_THAT(outcome.Get(), IsOk());
  EXPECT_LE(store->commits(), 2U);
}

TEST_F(SqliteSpoolStoreTest, WhatIsDeliveredIsForgottenAndMayBeForgottenAgain) {
  const StorePtr store = Open();
  EXPECT_THAT(Append(*store, {Record(1, Usage("a", "k1")), Record(2, Usage("a", "k2"))}), IsOk());
  EXPECT_THAT(Settle(*store, {1}, {}), IsOk());
  EXPECT_THAT(Settle(*store, {1}, {}), IsOk());
  const auto listings = ListSpool(path_.string());
  ASSERT_THAT(listings, IsOk());
  ASSERT_EQ(listings->size(), 1U);
  EXPECT_EQ((*listings)[0].records, 1U);
}

TEST_F(SqliteSpoolStoreTest, DeadLettersKeepTheReportAndTheReason) {
  const StorePtr store = Open();
  EXPECT_THAT(Append(*store, {Record(1, Usage("a", "k1"))}), IsOk());
  EXPECT_THAT(Settle(*store, {}, {{1, "no such feature"}}), IsOk());
  EXPECT_THAT(Settle(*store, {}, {{1, "again"}}), IsOk());  // passed over
  const auto letters = Dead();
  ASSERT_EQ(letters.size(), 1U);
  EXPECT_EQ(letters[0].reason, "no such feature");
  EXPECT_EQ(letters[0].customer_id, "a");
  EXPECT_EQ(letters[0].died_at, time_.WallNow());
  EXPECT_EQ(std::get<UsageReport>(*DecodeSpoolItem(SpoolKind::kUsage, letters[0].item)).idempotency_key, "k1");
}

TEST_F(SqliteSpoolStoreTest, ASequenceOfADeadLetterIsNotUsedAgain) {
  {
    const StorePtr store = Open();
    EXPECT_THAT(Append(*store, {Record(5, Usage("a", "k1"))}), IsOk());
    EXPECT_THAT(Settle(*store, {}, {{5, "why"}}), IsOk());
  }
  Open();
  EXPECT_EQ(index_.next_sequence, 6U);
}

TEST_F(SqliteSpoolStoreTest, TheOldestDeadLettersMakeRoom) {
  const StorePtr store = Open(/*dead_bytes_max=*/250);
  for (uint64_t i = 1; i <= 3; ++i) EXPECT_THAT(Append(*store, {Record(i, Usage("a", "k"))}), IsOk());
  EXPECT_EQ(Settle(*store, {}, {{1, "r"}, {2, "r"}}).value(), 0U);
  EXPECT_EQ(Settle(*store, {}, {{3, "r"}}).value(), 1U);
  const auto letters = Dead();
  ASSERT_EQ(letters.size(), 2U);
  EXPECT_EQ(letters[0].sequence, 2U);
}

TEST_F(SqliteSpoolStoreTest, ASecondProcessIsToldWhoHasIt) {
  const StorePtr store = Open();
  EXPECT_THAT(SqliteSpoolStore::Open({.path = path_.string()}, time_),
              FailsWith(StatusCode::kAlreadyExists, "in use by process " + std::to_string(getpid())));
}

TEST_F(SqliteSpoolStoreTest, CanBeListedWhileItIsWritten) {
  const StorePtr store = Open();
  EXPECT_THAT(Append(*store, {Record(1, Usage("late", "k1")), Record(2, Usage("late", "k2"))}), IsOk());
  const auto listings = ListSpool(path_.string());
  ASSERT_THAT(listings, IsOk());
  ASSERT_EQ(listings->size(), 1U);
  EXPECT_EQ((*listings)[0].customer_id, "late");
  EXPECT_EQ((*listings)[0].records, 2U);
  EXPECT_EQ((*listings)[0].bytes, 200U);
  EXPECT_EQ(ToEpochMs((*listings)[0].oldest), 1'795'255'200'001);
  EXPECT_THAT(Append(*store, {Record(3, Usage("late", "k3"))}), IsOk());
}

TEST_F(SqliteSpoolStoreTest, NoSpoolIsNotFound) {
  EXPECT_THAT(ListSpool(path_.string()), FailsWith(StatusCode::kNotFound, "spool.db"));
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(SqliteSpoolStoreTest, AFileOfGarbageIsPutAsideAndTheStartGoesOn) {
  std::ofstream(path_) << std::string(10'000, 'x');
  const StorePtr store = Open();
  EXPECT_TRUE(index_.entries.empty());
  EXPECT_EQ(fs::file_size(path_.string() + ".damaged-1"), 10'000U);
  EXPECT_THAT(Append(*store, {Record(1, Usage("a", "k1"))}), IsOk());
}

TEST_F(SqliteSpoolStoreTest, ADamagedPageIsFoundAtTheStart) {
  {
    const StorePtr store = Open();
    for (uint64_t i = 1; i < 500; ++i) EXPECT_THAT(Append(*store, {Record(i, Usage("a", "k"))}), IsOk());
  }
  std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(2 * 4096);
  file << std::string(4096 * 4, '\xA5');
  file.close();
  Open();
  EXPECT_TRUE(index_.entries.empty());
  EXPECT_TRUE(fs::exists(path_.string() + ".damaged-1"));
}

TEST_F(SqliteSpoolStoreTest, ATornTailIsCutOffAndTheRestIsKept) {
  // The process is killed with its log not yet folded into the database; then the end of the
  // log is torn off, as a crash of the machine would.
  const pid_t child = fork();
  if (child == 0) {
    const StorePtr store = Open();
    for (uint64_t i = 1; i <= 3; ++i) {
      if (!Append(*store, {Record(i, Usage("a", "k"))}).ok()) _exit(1);
    }
    kill(getpid(), SIGKILL);
  }
  int ended = 0;
  ASSERT_EQ(waitpid(child, &ended, 0), child);
  ASSERT_TRUE(WIFSIGNALED(ended));
  const std::string log = path_.string() + "-wal";
  fs::resize_file(log, fs::file_size(log) - 100);
  Open();
  EXPECT_EQ(index_.entries.size(), 2U);
  EXPECT_FALSE(fs::exists(path_.string() + ".damaged-1"));
}

TEST_F(SqliteSpoolStoreTest, ANewerFormatIsPutAside) {
  Open();
  {
    auto database = SqliteDatabase::Open(path_.string(), SqliteDatabase::Mode::kReadWrite);
    ASSERT_THAT(database, IsOk());
    ASSERT_THAT(database->Run("PRAGMA user_version=99"), IsOk());
  }
  Open();
  EXPECT_TRUE(fs::exists(path_.string() + ".damaged-1"));
}

TEST_F(SqliteSpoolStoreTest, ADatabaseOfSomethingElseIsLeftAlone) {
  std::ofstream(path_).close();
  {
    auto database = SqliteDatabase::Open(path_.string(), SqliteDatabase::Mode::kReadWrite);
    ASSERT_THAT(database, IsOk());
    ASSERT_THAT(database->Run("CREATE TABLE theirs (x)"), IsOk());
  }
  EXPECT_THAT(SqliteSpoolStore::Open({.path = path_.string()}, time_),
              FailsWith(StatusCode::kInvalidArgument, "something else"));
  EXPECT_FALSE(fs::exists(path_.string() + ".damaged-1"));
}

TEST_F(SqliteSpoolStoreTest, AFolderThatIsNotThereIsUnavailable) {
  path_ = folder_ / "nowhere" / "spool.db";
  EXPECT_THAT(SqliteSpoolStore::Open({.path = path_.string()}, time_),
              FailsWith(StatusCode::kUnavailable, "No such file or directory"));
}

TEST_F(SqliteSpoolStoreTest, AFullDiskFailsTheAppendAndKeepsNothingOfIt) {
  const StorePtr store = Open();
  EXPECT_THAT(Append(*store, {Record(1, Usage("a", "k1"))}), IsOk());
  // No file of this process may grow: what a full disk looks like from here.
  struct rlimit before {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, SIG_IGN);
  const struct rlimit none { 16 << 10, before.rlim_max };
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &none), 0);
  UsageReport large = Usage("a", "k2");
  large.dimensions["text"] = std::string(100'000, 'x');
  const absl::Status full = Append(*store, {Record(2, large)});
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_THAT(full, FailsWith(StatusCode::kUnavailable, ""));
  // And when there is room again, it goes on.
  EXPECT_THAT(Append(*store, {Record(3, Usage("a", "k3"))}), IsOk());
  const auto items = Read(*store, {1, 2, 3});
  ASSERT_THAT(items, IsOk());
  EXPECT_TRUE((*items)[0].has_value());
  EXPECT_FALSE((*items)[1].has_value());
  EXPECT_TRUE((*items)[2].has_value());
}

TEST_F(SqliteSpoolStoreTest, OthersMayNotReadIt) {
  const StorePtr store = Open();
  struct stat info {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
}

}  // namespace
}  // namespace sidecar
