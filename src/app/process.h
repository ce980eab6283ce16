// What every process that serves does at its start and its end.
#pragma once

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "config/load.h"

namespace sidecar {

/// Starts logging, and logs the configuration.
void BeginProcess(const LoadedConfig& loaded);

/// Ends the process without destructors: fetches may still be under way.
[[noreturn]] void EndProcess(int code);

/// Ends a process that could not start, with the reason.
[[noreturn]] void EndUnstarted(const absl::Status& why);

/// Calls `stop` and waits until it has called back, or two seconds.
void AwaitStop(absl::FunctionRef<void(absl::AnyInvocable<void() &&>)> stop);

}  // namespace sidecar
