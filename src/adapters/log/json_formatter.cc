#include "adapters/log/json_formatter.h"

#include <spdlog/pattern_formatter.h>

#include <string>
#include <string_view>

#include "adapters/json/json.h"

namespace sidecar {
namespace {

std::string Quoted(std::string_view text) { return Dump(Json(text)); }

std::string TimeOf(const spdlog::details::log_msg& message) {
  return FormatDate(std::chrono::time_point_cast<Millis>(message.time));
}

/// Takes the trace's id off the end of the line; empty when there is none.
std::string_view TakeTrace(std::string_view& text) {
  constexpr size_t kIdSize = 32;
  constexpr size_t kSize = kLogTraceLabel.size() + kIdSize;
  if (text.size() < kSize || text.substr(text.size() - kSize, kLogTraceLabel.size()) != kLogTraceLabel) return "";
  const std::string_view id = text.substr(text.size() - kIdSize);
  if (id.find_first_not_of("0123456789abcdef") != std::string_view::npos) return "";
  text.remove_suffix(kSize);
  return id;
}

}  // namespace

void JsonFormatter::format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) {
  constexpr size_t kAround = 128;  // of what is not the message
  std::string_view text(message.payload.data(), message.payload.size());
  const std::string_view trace = TakeTrace(text);
  std::string quoted = Quoted(text);
  // A byte may become six: \u001f.
  for (size_t most = kLineMax - kAround; quoted.size() > kLineMax - kAround; most /= 2) {
    quoted = Quoted(text.substr(0, most));
  }
  const spdlog::string_view_t level = spdlog::level::to_string_view(message.level);
  fmt::format_to(std::back_inserter(out),
                 R"({{"time":"{}","level":"{}","message":{}{}{}{}}})"
                 "\n",
                 TimeOf(message), std::string_view(level.data(), level.size()), quoted,
                 trace.empty() ? "" : R"(,"trace_id":")", trace, trace.empty() ? "" : "\"");
}

}  // namespace sidecar
