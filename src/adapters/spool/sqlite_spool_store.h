#pragma once

#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "adapters/spool/spool_file.h"
#include "adapters/spool/sqlite.h"
#include "ports/clock.h"
#include "ports/spool_store.h"

namespace sidecar {

/// The spool in an SQLite file, in WAL mode with synchronous=FULL, written by a thread of its
/// own. What is asked for while a commit is under way shares the next one. Thread-safe.
class SqliteSpoolStore : public SpoolStore {
 public:
  struct Options {
    std::string path;
    uint64_t dead_bytes_max = 64 << 20;  ///< beyond it the oldest dead letters go
  };

  /// Waits for the disk. ALREADY_EXISTS: another process has it. INVALID_ARGUMENT: the file
  /// is something else. UNAVAILABLE: it cannot be used now. A damaged file is put aside.
  static absl::StatusOr<std::unique_ptr<SqliteSpoolStore>> Open(const Options& options, Clock& clock);

  /// Finishes what was asked for.
  ~SqliteSpoolStore() override;

  absl::StatusOr<SpoolIndex> TakeIndex() override;
  void Append(Records records, AppendDone done) override;
  void Read(std::vector<uint64_t> sequences, ReadDone done) override;
  void Settle(std::vector<uint64_t> delivered, std::vector<DeadLetter> dead, SettleDone done) override;

  /// Commits so far: fewer than appends when they come together.
  uint64_t commits() const;

 private:
  struct AppendJob {
    Records records;
    AppendDone done;
  };
  struct ReadJob {
    std::vector<uint64_t> sequences;
    ReadDone done;
  };
  struct SettleJob {
    std::vector<uint64_t> delivered;
    std::vector<DeadLetter> dead;
    SettleDone done;
    uint64_t forgotten = 0;
  };
  using Job = std::variant<AppendJob, ReadJob, SettleJob>;

  struct Statements {
    SqliteStatement insert;
    SqliteStatement read;
    SqliteStatement remove;
    SqliteStatement bury;
    SqliteStatement oldest_dead;
    SqliteStatement forget_dead;
  };

  SqliteSpoolStore(const Options& options, Clock& clock, SpoolLock lock, SqliteDatabase database);
  absl::Status Prepare();

  void Enqueue(Job job);
  void Run();
  bool HasWork() const ABSL_SHARED_LOCKS_REQUIRED(mu_) { return stopping_ || !jobs_.empty(); }
  void RunGroup(std::deque<Job>& jobs);
  absl::Status Write(std::deque<Job>& jobs);
  absl::Status WriteOne(Job& job);
  absl::Status Insert(const SpoolRecord& record);
  absl::Status Bury(const DeadLetter& letter);
  /// Deletes the oldest dead letters until they fit; counts them.
  absl::Status MakeRoom(uint64_t& forgotten);
  absl::StatusOr<Items> ReadItems(const std::vector<uint64_t>& sequences);

  const Options options_;
  Clock& clock_;
  const SpoolLock lock_;
  // Of the thread, once it runs.
  SqliteDatabase database_;
  Statements statements_;
  uint64_t dead_bytes_ = 0;
  bool failing_ = false;  // logged

  mutable absl::Mutex mu_;
  std::deque<Job> jobs_ ABSL_GUARDED_BY(mu_);
  uint64_t commits_ ABSL_GUARDED_BY(mu_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace sidecar
