#pragma once

#include <string>

namespace sidecar {

/// Sets up spdlog's default logger: standard error, from a thread of its own, never waiting
/// for a reader. When nobody drains the pipe, lines are dropped, the oldest first.
/// `level`: error, warn, info or debug.
void StartLogging(const std::string& level);

/// Writes out what is queued and ends the thread; waits at most a second.
void StopLogging();

}  // namespace sidecar
