#pragma once

#include "ports/clock.h"

namespace sidecar {

/// The machine's clocks. Now() is exact to the millisecond. WallNow() may lag by one kernel
/// tick (4 ms): it is read on every hit and only compared with dates that upstream sends.
class SystemClock : public Clock {
 public:
  MonoTime Now() const override;
  WallTime WallNow() const override;
  std::chrono::nanoseconds Stopwatch() const override;
};

}  // namespace sidecar
