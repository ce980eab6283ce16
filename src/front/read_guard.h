#pragma once

#include <chrono>
#include <cstdint>

// GCC says it with a macro, clang with a feature.
#if defined(__has_feature)
#define SIDECAR_WITH_ASAN __has_feature(address_sanitizer)
#define SIDECAR_WITH_TSAN __has_feature(thread_sanitizer)
#else
#if defined(__SANITIZE_ADDRESS__)
#define SIDECAR_WITH_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define SIDECAR_WITH_TSAN 1
#endif
#endif

namespace sidecar {

/// Ends connections that keep a queue's thread reading.
///
/// gRPC 1.51 reads from a connection as long as there is something to read, on the thread that asked for the next
/// event, and only then lets it have the events. The limit of concurrent streams holds clients back that wait for
/// answers; one that resets its calls as it makes them ("rapid reset", CVE-2023-44487) never has to, and a single such
/// connection was seen to stop all answers and to fill gigabytes of memory within seconds (docs/adr/0018). So this file
/// defines recvmsg and epoll_wait, through which gRPC reads and waits: when a thread has spent kBudget on reading one
/// connection, a little at a time, without an event and without waiting, that connection is told to have been reset.
/// Large messages are no flood: their bytes are soon read.
///
/// Thread-safe: what it knows is of the calling thread.
class ReadGuard {
 public:
  /// Processor time. A client that waits for answers is held back by the limit of streams after a fraction of it.
#if SIDECAR_WITH_ASAN
  static constexpr std::chrono::nanoseconds kBudget = std::chrono::milliseconds(250);  // it takes ten times as long
#else
  static constexpr std::chrono::nanoseconds kBudget = std::chrono::milliseconds(25);
#endif
  /// What arrives faster than this is large messages; small calls take much longer for a byte.
  static constexpr int64_t kBulkBytesPerSecond = 50'000'000;

  /// The calling thread is one that asks a queue for events.
  static void Watch() { state.guarded = true; }
  /// It got one, or waits for more to read: whatever it read is done with.
  static void OnTurn() { state.reads = 0; }

  /// Connections ended so. Any thread.
  static uint64_t ended();

  /// What recvmsg asks before it reads: whether this connection is to be ended.
  static bool Floods(int fd);
  static void Took(int64_t bytes) { state.bytes += bytes; }

 private:
  struct State {
    bool guarded = false;
    uint32_t reads = 0;                 // since the last event
    int64_t bytes = 0;                  // since `since`
    std::chrono::nanoseconds since{0};  // processor time when the suspect became it
    int suspect = -1;                   // by majority: the descriptor that is read most
    uint32_t votes = 0;
  };
  static thread_local State state;
};

}  // namespace sidecar
