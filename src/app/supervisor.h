#pragma once

#include <string>
#include <string_view>

#include "config/settings.h"
#include "ports/clock.h"
#include "ports/timers.h"

namespace sidecar {

/// Tells systemd how the process is, if it is who started it (sd_notify(3)). Does nothing otherwise.
class Supervisor {
 public:
  /// Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID.
  explicit Supervisor(const Environment& environment);

  /// Serving from now on. `timers`: on whose thread the watchdog is answered, so that a stuck thread
  /// is noticed; they must outlive this.
  void Ready(Clock& clock, Timers& timers);
  void Stopping() const { Notify("STOPPING=1"); }

 private:
  void Notify(std::string_view state) const;
  void AnswerWatchdog(Clock& clock, Timers& timers);

  std::string socket_;  ///< empty: nobody wants to know
  Millis watchdog_{0};  ///< 0: there is none
};

}  // namespace sidecar
