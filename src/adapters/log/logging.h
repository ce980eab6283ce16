#pragma once

#include <cstdint>
#include <string>

namespace sidecar {

enum class LogFormat : uint8_t {
  kAuto,  ///< text for a person at a terminal, else JSON
  kText,
  kJson,
};

/// Sets up spdlog's default logger: standard error, from a thread of its own, never waiting
/// for a reader. When nobody drains the pipe, lines are dropped, the oldest first. A line that is
/// said again within 30 s, with no other in between, is counted instead. `level`: error, warn,
/// info or debug.
void StartLogging(const std::string& level, LogFormat format);

/// Waits until what was logged so far is written out, at most a second. Others may go on
/// logging, before and after: the process ends with the logger in place.
void StopLogging();

}  // namespace sidecar
