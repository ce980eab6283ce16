#pragma once

#include <string>

namespace sidecar {

/// Sets up spdlog's default logger: standard error, from a thread of its own, never waiting
/// for a reader. When nobody drains the pipe, lines are dropped, the oldest first.
/// `level`: error, warn, info or debug.
void StartLogging(const std::string& level);

/// Waits until what was logged so far is written out, at most a second. Others may go on
/// logging, before and after: the process ends with the logger in place.
void StopLogging();

}  // namespace sidecar
