// Where the cache's contents are kept across a restart.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "domain/entitlement.h"
#include "domain/entity_key.h"
#include "domain/time.h"

namespace sidecar {

/// One record as it is kept: with dates, since no monotonic instant outlives its process.
struct SnapshotEntry {
  EntityKey key;
  CustomerEntitlements entitlements;
  WallTime fetched_at{};               ///< start of the fetch, or arrival of the push
  WallTime current_at{};               ///< when it was last known to be current
  std::optional<WallTime> changed_at;  ///< last change by something other than a fetch
  bool hot = false;                    ///< used since eviction last looked at it
};

struct SnapshotSize {
  size_t records = 0;
  uint64_t bytes = 0;
  bool complete = true;  ///< false: the store's bound was reached, the rest was left out
};

/// One snapshot. Calls block on files; one at a time.
class SnapshotStore {
 public:
  virtual ~SnapshotStore() = default;

  /// The next entry to keep, valid until the following call; nullptr after the last.
  using NextEntry = absl::FunctionRef<const SnapshotEntry*()>;
  /// Asked now and then while there is work; may wait. False: give up.
  using KeepGoing = absl::FunctionRef<bool()>;
  /// Takes an entry; false when no more are wanted.
  using TakeEntry = absl::FunctionRef<bool(const SnapshotEntry&)>;

  /// Replaces what is kept, all or nothing: after any failure the former snapshot is still
  /// there. CANCELLED: keep_going said so. ABORTED: another process keeps its snapshot here.
  /// UNAVAILABLE: the disk is full, read-only, broken.
  virtual absl::StatusOr<SnapshotSize> Write(NextEntry next, KeepGoing keep_going) = 0;

  /// Hands out what is kept, hot entries first; never one that is damaged. NOT_FOUND: there is
  /// none. DATA_LOSS: damaged; what came before the damage was handed out, the snapshot is set
  /// aside. FAILED_PRECONDITION: of a newer format or another environment; nothing was handed
  /// out, set aside. ABORTED and UNAVAILABLE as above.
  virtual absl::Status Read(TakeEntry take) = 0;
};

}  // namespace sidecar
