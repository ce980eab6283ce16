#include "adapters/snapshot/snapshot_keeper.h"

#include <gmock/gmock.h>
#include <sys/resource.h>

#include <optional>
#include <thread>

#include "absl/synchronization/notification.h"
#include "support/definitions.h"
#include "support/sim_clock.h"
#include "support/snapshot_entries.h"

namespace sidecar {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);

/// Counts what was written, and on which kind of thread.
class CountingStore : public SnapshotStore {
 public:
  absl::StatusOr<SnapshotSize> Write(NextEntry next, KeepGoing keep_going) override {
    SnapshotSize size;
    while (next() != nullptr) ++size.records;
    absl::MutexLock lock(&mu_);
    ++writes_;
    thread_ = std::this_thread::get_id();
    priority_ = getpriority(PRIO_PROCESS, 0);
    while (hold_) {
      mu_.Unlock();
      const bool go_on = keep_going();
      mu_.Lock();
      if (!go_on) return absl::CancelledError("given up");
    }
    if (!keep_going()) return absl::CancelledError("given up");
    if (!status_.ok()) return status_;
    return size;
  }
  absl::Status Read(TakeEntry take) override {
    for (const SnapshotEntry& entry : entries) take(entry);
    return read_status;
  }

  bool WaitForWrites(int count) {
    const auto enough = [&] { return writes_ >= count; };
    absl::MutexLock lock(&mu_);
    return mu_.AwaitWithTimeout(absl::Condition(&enough), kPatience);
  }
  int writes() const { return Locked(writes_); }
  std::thread::id thread() const { return Locked(thread_); }
  int priority() const { return Locked(priority_); }
  void WillAnswer(absl::Status status) {
    absl::MutexLock lock(&mu_);
    status_ = std::move(status);
  }
  void HoldWrites() {
    absl::MutexLock lock(&mu_);
    hold_ = true;
  }

  std::vector<SnapshotEntry> entries;
  absl::Status read_status;

 private:
  template <typename T>
  T Locked(const T& value) const {
    absl::MutexLock lock(&mu_);
    return value;
  }

  mutable absl::Mutex mu_;
  int writes_ = 0;
  std::thread::id thread_;
  int priority_ = 0;
  absl::Status status_;
  bool hold_ = false;
};

class SnapshotKeeperTest : public ::testing::Test {
 protected:
  SnapshotKeeperTest() {
    keeper_.emplace(cache_, store_, time_, time_, metrics_,
                    SnapshotKeeper::Settings{
                        .path = "/snapshot",
                        .interval = Millis(60'000),
                        .age_of = [](const Record& record, MonoTime now) { return now - record.fetched_at(); }});
  }

  void PutOne() {
    const EntityKeyView key{"customer", ""};
    cache_.Update(key, [&](const Record*) { return Record::Build(key, {}, {}, definitions_); });
  }

  /// Until the keeper's thread sleeps again, with its timer set.
  void WaitForTimer() {
    const absl::Time end = absl::Now() + kPatience;
    while (time_.pending_timers() == 0 && absl::Now() < end) std::this_thread::yield();
    ASSERT_EQ(time_.pending_timers(), 1U);
  }
  void PassInterval() {
    WaitForTimer();
    time_.Advance(Millis(60'000));
  }
  MonoTime Soon() const { return time_.Now() + Millis(1'000); }

  testing::SimTime time_;
  Definitions definitions_ = testing::PlainDefinitions();
  EpochDomain epochs_;
  EntitlementCache cache_{{.limit_bytes = 1 << 20, .shards = 1}, epochs_, definitions_};
  Metrics metrics_;
  CountingStore store_;
  std::optional<SnapshotKeeper> keeper_;
};

TEST_F(SnapshotKeeperTest, WritesOnceAnIntervalOnAThreadOfLowPriority) {
  const int own = getpriority(PRIO_PROCESS, 0);
  PutOne();
  keeper_->Start();
  for (int i = 1; i <= 3; ++i) {
    PassInterval();
    ASSERT_TRUE(store_.WaitForWrites(i));
  }
  WaitForTimer();
  EXPECT_EQ(store_.writes(), 3);
  EXPECT_NE(store_.thread(), std::this_thread::get_id());
  EXPECT_EQ(store_.priority(), 19);
  EXPECT_EQ(getpriority(PRIO_PROCESS, 0), own) << "of this thread";
}

TEST_F(SnapshotKeeperTest, WritesOnceMoreAtTheEndOnTheCallersThread) {
  PutOne();
  keeper_->Start();
  WaitForTimer();
  keeper_->Stop(Soon());
  EXPECT_EQ(store_.writes(), 1);
  EXPECT_EQ(store_.thread(), std::this_thread::get_id());
  EXPECT_EQ(time_.pending_timers(), 0U);
}

TEST_F(SnapshotKeeperTest, TheEndIsNotHeldUpByAWriteThatIsUnderWay) {
  PutOne();
  store_.HoldWrites();
  keeper_->Start();
  PassInterval();
  ASSERT_TRUE(store_.WaitForWrites(1));
  keeper_->Stop(time_.Now());  // returns: neither write goes on
  EXPECT_EQ(store_.writes(), 2);
  EXPECT_EQ(metrics_.snapshot_errors.value(), 0U);
  EXPECT_EQ(metrics_.snapshot_written_at_ms.value(), 0U);
}

TEST_F(SnapshotKeeperTest, AnEmptyCacheReplacesNothing) {
  keeper_->Start();
  PassInterval();
  WaitForTimer();
  keeper_->Stop(Soon());
  EXPECT_EQ(store_.writes(), 0);
}

TEST_F(SnapshotKeeperTest, MetricsTellWhatWasWrittenAndWhen) {
  PutOne();
  keeper_->Stop(Soon());
  EXPECT_EQ(metrics_.snapshot_records.value(), 1U);
  EXPECT_EQ(metrics_.snapshot_written_at_ms.value(), static_cast<uint64_t>(ToEpochMs(time_.WallNow())));
  EXPECT_EQ(metrics_.snapshot_errors.value(), 0U);
}

TEST_F(SnapshotKeeperTest, FailuresAreCountedAndTheNextIntervalTriesAgain) {
  PutOne();
  store_.WillAnswer(absl::UnavailableError("No space left on device"));
  keeper_->Start();
  for (int i = 1; i <= 2; ++i) {
    PassInterval();
    ASSERT_TRUE(store_.WaitForWrites(i));
  }
  WaitForTimer();
  EXPECT_EQ(metrics_.snapshot_errors.value(), 2U);
  store_.WillAnswer(absl::OkStatus());
  PassInterval();
  ASSERT_TRUE(store_.WaitForWrites(3));
  WaitForTimer();
  EXPECT_EQ(metrics_.snapshot_errors.value(), 2U);
  EXPECT_EQ(metrics_.snapshot_records.value(), 1U);
}

TEST_F(SnapshotKeeperTest, TheStartGoesOnWithWhatWasGood) {
  store_.entries.resize(1);
  store_.entries[0].key = EntityKey("customer", "");
  store_.read_status = absl::DataLossError("torn");
  const RestoredSnapshot restored = keeper_->Restore();
  EXPECT_EQ(restored.records, 1U);
  EXPECT_EQ(restored.hottest.size(), 1U);
  EXPECT_EQ(metrics_.snapshot_errors.value(), 1U);
  EXPECT_EQ(metrics_.snapshot_records.value(), 1U);
}

TEST_F(SnapshotKeeperTest, NoSnapshotIsNoError) {
  store_.read_status = absl::NotFoundError("none");
  EXPECT_EQ(keeper_->Restore().records, 0U);
  EXPECT_EQ(metrics_.snapshot_errors.value(), 0U);
}

TEST_F(SnapshotKeeperTest, DestructionEndsTheThread) {
  PutOne();
  store_.HoldWrites();
  keeper_->Start();
  PassInterval();
  ASSERT_TRUE(store_.WaitForWrites(1));
  keeper_.reset();
  time_.Advance(Millis(600'000));
  EXPECT_EQ(store_.writes(), 1);
}

}  // namespace
}  // namespace sidecar
