#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"

namespace sidecar {

/// Gives connections to gRPC on a thread of its own: gRPC begins with each at once, where it is called (TLS
/// handshakes; pings without end, for as long as they come), and the thread that accepts also answers probes.
/// Watched by ReadGuard. Thread-safe.
class HandOver {
 public:
  using Take = absl::AnyInvocable<void(int fd, std::string_view already_read)>;

  explicit HandOver(Take take);
  ~HandOver();  // closes what waits
  HandOver(const HandOver&) = delete;
  HandOver& operator=(const HandOver&) = delete;

  /// Takes the descriptor over.
  void Give(int fd, std::string_view already_read);

  /// Waits until what was given so far is handed over, `at_most`.
  void Flush(std::chrono::milliseconds at_most);

 private:
  struct Connection {
    int fd;
    std::string already_read;
  };

  void Run();

  Take take_;
  absl::Mutex mu_;
  std::deque<Connection> waiting_ ABSL_GUARDED_BY(mu_);
  bool busy_ ABSL_GUARDED_BY(mu_) = false;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace sidecar
