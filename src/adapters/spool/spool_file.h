// The spool's file: who may use it, what is in it, and what happens when it is damaged.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "adapters/spool/sqlite.h"

namespace sidecar {

/// Says that this process owns a spool, until it is destroyed or the process ends, however
/// that comes. A file of its own beside the database: SQLite's locks belong to SQLite, and
/// `spool ls` reads while the daemon writes.
class SpoolLock {
 public:
  /// ALREADY_EXISTS: another process has it; the message says which. UNAVAILABLE: the lock
  /// file cannot be made.
  static absl::StatusOr<SpoolLock> Take(const std::string& spool_path);

  SpoolLock(SpoolLock&& other) noexcept;
  SpoolLock& operator=(SpoolLock&&) = delete;
  ~SpoolLock();

 private:
  explicit SpoolLock(int fd) : fd_(fd) {}

  int fd_;
};

/// Opens the database at `path` for its one writer, and makes it when it is not there. A
/// damaged one, and one of a newer version, is renamed to `path`.damaged-<n> and a new one
/// begun; the log says so. Waits for the disk.
/// INVALID_ARGUMENT: a database of something else. UNAVAILABLE: it cannot be used now.
absl::StatusOr<SqliteDatabase> OpenSpoolFile(const std::string& path);

/// Opens it for `spool ls` and `spool dead`, beside a daemon that writes. NOT_FOUND: there
/// is none.
absl::StatusOr<SqliteDatabase> OpenSpoolFileReadOnly(const std::string& path);

}  // namespace sidecar
