// A sidecar as a child process (include/stigg/sidecar/local_sidecar.h).
#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "stigg/sidecar/local_sidecar.h"

namespace stigg::sidecar::sdk {

/// The settings that `local` says, by name; without those of where to listen.
std::map<std::string, std::string> EnvironmentOf(const LocalSidecar& local);
/// ENTITLEMENTS_FALLBACK.
std::string FallbackJson(const std::map<std::string, Fallback>& fallbacks);

class LocalProcess {
 public:
  /// Starts the program and returns when it has said that it is ready. INVALID_ARGUMENT: an option is out of range, or
  /// the program refused its configuration (the message holds what it said); NOT_FOUND: there is no such
  /// program; UNAVAILABLE: it ended; DEADLINE_EXCEEDED: it was not ready in time.
  static absl::StatusOr<std::unique_ptr<LocalProcess>> Start(const LocalSidecar& local);

  /// Ends it as an operator does, and by force when that takes too long.
  ~LocalProcess();

  pid_t pid() const { return pid_; }
  int port() const { return port_; }

 private:
  LocalProcess(pid_t pid, int port, int output, int errors);
  absl::Status WaitUntilReady(Millis timeout);
  void Read(int output, int errors);
  void LookForReady(std::string_view output);
  /// Its log is this process's; the last of it is kept for errors.
  void PassOn(std::string_view errors);
  /// Waits for the end of the process; whether it came in time.
  bool Reap(Millis timeout);

  const pid_t pid_;
  const int port_;
  bool reaped_ = false;
  int exit_status_ = 0;
  absl::Mutex mu_;
  bool ready_ ABSL_GUARDED_BY(mu_) = false;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  std::string line_ ABSL_GUARDED_BY(mu_);    // of its output, not whole yet
  std::string errors_ ABSL_GUARDED_BY(mu_);  // the last of it
  std::thread reader_;
};

}  // namespace stigg::sidecar::sdk
