#include "front/read_guard.h"

#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <ctime>

namespace sidecar {
namespace {

/// Fewer reads than these are nobody's fault, and cost no look at a clock.
constexpr uint32_t kReadsMin = 4;

std::atomic<uint64_t> ended_count{0};

std::chrono::nanoseconds ProcessorTime() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace

thread_local constinit ReadGuard::State ReadGuard::state;

uint64_t ReadGuard::ended() { return ended_count.load(std::memory_order_relaxed); }

bool ReadGuard::Floods(int fd) {
  State& now = state;
  if (!now.guarded) return false;
  ++now.reads;
  if (now.reads < kReadsMin) return false;
  if (fd == now.suspect && now.reads > kReadsMin) {
    ++now.votes;
  } else if (now.votes > 0 && now.reads > kReadsMin) {
    --now.votes;
  } else {
    now.suspect = fd;
    now.votes = 1;
    now.bytes = 0;
    now.since = ProcessorTime();
    return false;
  }
  if (fd != now.suspect) return false;
  const std::chrono::nanoseconds spent = ProcessorTime() - now.since;
  constexpr int64_t kPerSecond = 1'000'000'000;
  if (spent < kBudget || now.bytes > spent.count() / (kPerSecond / kBulkBytesPerSecond)) return false;
  now.reads = 0;
  if (ended_count.fetch_add(1, std::memory_order_relaxed) == 0) {
    spdlog::warn(
        "a connection was closed that kept the server reading without ever waiting for an answer; more like it "
        "are counted only (sidecar_connections_refused_total)");
  }
  return true;
}

}  // namespace sidecar

// ThreadSanitizer has its own of these, which it needs.
#if !SIDECAR_WITH_TSAN

/// Instead of the C library's, for the whole process: gRPC finds these first.
extern "C" ssize_t recvmsg(int fd, msghdr* message, int flags) {
  if (sidecar::ReadGuard::Floods(fd)) {
    errno = ECONNRESET;
    return -1;
  }
  const ssize_t got = syscall(SYS_recvmsg, fd, message, flags);
  if (got > 0) sidecar::ReadGuard::Took(got);
  return got;
}

extern "C" int epoll_wait(int epoll, epoll_event* events, int max, int timeout) {
  sidecar::ReadGuard::OnTurn();
  return static_cast<int>(syscall(SYS_epoll_pwait, epoll, events, max, timeout, nullptr, 0));
}

#endif
