#pragma once

#include <spdlog/formatter.h>

#include <memory>
#include <string_view>

namespace sidecar {

/// What stands between a line and the id of the trace that it belongs to (32 hexadecimal digits at its end).
inline constexpr std::string_view kLogTraceLabel = " trace_id=";

/// One JSON object a line: time (ISO 8601, UTC), level, message, and trace_id where there is one. Whatever a message
/// holds, the line is JSON and at most kLineMax bytes.
class JsonFormatter : public spdlog::formatter {
 public:
  static constexpr size_t kLineMax = 4096;

  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override;
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<JsonFormatter>(); }
};

}  // namespace sidecar
