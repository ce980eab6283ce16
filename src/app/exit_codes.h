#pragma once

namespace sidecar {

/// Exit codes of every verb (README, "exit codes"); those above 2 follow sysexits.h.
enum ExitCode : int {
  kExitOk = 0,
  kExitFailure = 1,
  kExitUsage = 2,
  kExitUnavailable = 69,
  kExitConfig = 78,
};

}  // namespace sidecar
