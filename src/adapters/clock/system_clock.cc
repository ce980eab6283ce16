#include "adapters/clock/system_clock.h"

#include <time.h>

namespace sidecar {

MonoTime SystemClock::Now() const { return std::chrono::time_point_cast<Millis>(std::chrono::steady_clock::now()); }

std::chrono::nanoseconds SystemClock::Stopwatch() const { return std::chrono::steady_clock::now().time_since_epoch(); }

WallTime SystemClock::WallNow() const {
  timespec now{};
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return WallTimeFromEpochMs(int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000);
}

}  // namespace sidecar
