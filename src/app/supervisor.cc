#include "app/supervisor.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "text/text.h"

namespace sidecar {

Supervisor::Supervisor(const Environment& environment) : socket_(ValueOf(environment, "NOTIFY_SOCKET")) {
  const auto micros = ParseNumber<int64_t>(ValueOf(environment, "WATCHDOG_USEC"));
  const std::string_view pid = ValueOf(environment, "WATCHDOG_PID");
  const bool for_us = pid.empty() || ParseNumber<int64_t>(pid) == int64_t{getpid()};
  if (micros.has_value() && *micros > 0 && for_us) watchdog_ = Millis(*micros / 1000);
}

void Supervisor::Ready(Clock& clock, Timers& timers) {
  Notify("READY=1");
  if (watchdog_ > Millis(0) && !socket_.empty()) AnswerWatchdog(clock, timers);
}

void Supervisor::AnswerWatchdog(Clock& clock, Timers& timers) {
  Notify("WATCHDOG=1");
  timers.At(clock.Now() + std::max(Millis(1), watchdog_ / 2),
            [this, &clock, &timers] { AnswerWatchdog(clock, timers); });
}

void Supervisor::Notify(std::string_view state) const {
  sockaddr_un address{};
  if (socket_.empty() || socket_.size() >= sizeof(address.sun_path)) return;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, socket_.data(), socket_.size());
  if (socket_[0] == '@') address.sun_path[0] = '\0';  // an abstract one
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  // Whether it arrives is the supervisor's affair.
  (void)!sendto(fd, state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address), size);
  close(fd);
}

}  // namespace sidecar
