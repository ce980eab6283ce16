// The warm snapshot of a serving process: which file, whose data.
#pragma once

#include <memory>

#include "adapters/snapshot/snapshot_file.h"
#include "adapters/snapshot/snapshot_keeper.h"
#include "config/config.h"
#include "core/live_cover.h"

namespace sidecar {

/// Restore before the listeners open, Start after; Stop when no call is left. Must outlive its
/// keeper's thread: it lives as long as the process, or until Stop.
class SnapshotWiring {
 public:
  struct Tools {
    EntitlementCache& cache;
    const LiveCover& cover;
    Clock& clock;
    Timers& timers;
    Metrics& metrics;
  };

  /// nullptr when none is configured, or the daemon is offline: nothing that is worth keeping
  /// comes from upstream then.
  static std::unique_ptr<SnapshotWiring> Make(const Config& config, const Tools& tools);

  SnapshotKeeper& keeper() { return keeper_; }

 private:
  SnapshotWiring(const Config& config, const Tools& tools);

  SnapshotFile file_;
  SnapshotKeeper keeper_;
};

}  // namespace sidecar
