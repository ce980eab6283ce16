// A snapshot in one file.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "adapters/snapshot/disk.h"
#include "adapters/snapshot/entry_codec.h"
#include "adapters/snapshot/environment.h"
#include "ports/clock.h"
#include "ports/snapshot_store.h"

namespace sidecar {

/// Format: adapters/snapshot/frame.h and snapshot.proto. What happens to files that are not
/// good: docs/adr/0013.
///
/// Written to "<path>.tmp", synced, read back and verified, then renamed: at any instant the
/// file at `path` is whole. "<path>.lock" is held from the first use on, so that one process
/// at a time keeps its snapshot here; a process that finds it held tries again with each call.
///
/// Not thread-safe.
class SnapshotFile : public SnapshotStore {
 public:
  struct Options {
    std::string path;
    snapshot::Environment environment;
    uint64_t bytes_max = UINT64_MAX;  ///< of a file
    std::string written_by;           ///< version, for people who look into the file
  };

  SnapshotFile(Options options, const Clock& clock) : options_(std::move(options)), clock_(clock) {}

  absl::StatusOr<SnapshotSize> Write(NextEntry next, KeepGoing keep_going) override;
  absl::Status Read(TakeEntry take) override;

 private:
  class Writer;

  std::string TemporaryPath() const { return options_.path + ".tmp"; }

  absl::Status TakeLock();
  absl::StatusOr<SnapshotSize> WriteTemporary(NextEntry next, KeepGoing keep_going);
  absl::Status Verify(const SnapshotSize& written, KeepGoing keep_going);
  absl::Status SetAside(const absl::Status& why);

  const Options options_;
  const Clock& clock_;
  snapshot::File lock_;
};

}  // namespace sidecar
