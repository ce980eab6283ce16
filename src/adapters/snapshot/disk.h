// The few operations on files that a snapshot needs, each an absl::Status that names the
// path and the system's reason.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "domain/time.h"

namespace sidecar::snapshot {

/// Owns a file descriptor.
class File {
 public:
  File() = default;
  explicit File(int fd) : fd_(fd) {}
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  ~File();

  int fd() const { return fd_; }
  bool open() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

/// NOT_FOUND, else UNAVAILABLE. `flags` and `mode` as for open(2).
absl::StatusOr<File> Open(const std::string& path, int flags, mode_t mode = 0);

/// All of `data`, at the file's position.
absl::Status WriteAll(const File& file, std::string_view data);

/// Waits until the file's contents are on the disk, and drops them from the page cache: they
/// are not read again soon, and a check that reads them back reads the disk.
absl::Status Sync(const File& file);

absl::Status Rename(const std::string& from, const std::string& to);

/// Waits until the names in the directory of `path` are on the disk.
absl::Status SyncDirectoryOf(const std::string& path);

/// Takes the lock of `path`, a file that is made when it is not there; held as long as the
/// result lives. ABORTED: another process, or another File, holds it.
absl::StatusOr<File> Lock(const std::string& path);

/// Renames `path` to "<path>.bad-<now>" and removes all but the three newest of these.
/// Returns the new name.
absl::StatusOr<std::string> SetAside(const std::string& path, WallTime now);

}  // namespace sidecar::snapshot
