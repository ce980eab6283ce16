#include "app/parent_watch.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <csignal>

namespace sidecar {

ParentWatch::ParentWatch() : parent_(getppid()) {}

void ParentWatch::Begin(Clock& clock, Timers& timers) {
  constexpr Millis kLookEvery{250};
  if (getppid() != parent_) {
    spdlog::info("the process that started this one is gone (END_WITH_PARENT)");
    kill(getpid(), SIGTERM);
    return;
  }
  timers.At(clock.Now() + kLookEvery, [this, &clock, &timers] { Begin(clock, timers); });
}

}  // namespace sidecar
