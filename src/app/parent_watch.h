#pragma once

#include <sys/types.h>

#include "ports/clock.h"
#include "ports/timers.h"

namespace sidecar {

/// Ends this process, as SIGTERM does, when the one that started it is gone (END_WITH_PARENT): what starts a
/// sidecar of its own through npx or a shell can only end that, and not what is below it.
///
/// Looks at the parent's number four times a second: PR_SET_PDEATHSIG would mean the thread that started us.
class ParentWatch {
 public:
  /// Knows the parent from here on: make it first thing.
  ParentWatch();
  /// `timers` must outlive this.
  void Begin(Clock& clock, Timers& timers);

 private:
  const pid_t parent_;
};

}  // namespace sidecar
