#include "adapters/log/json_formatter.h"

#include <spdlog/pattern_formatter.h>

#include <string>
#include <string_view>

#include "adapters/json/json.h"

namespace sidecar {
namespace {

std::string Quoted(std::string_view text) { return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string TimeOf(const spdlog::details::log_msg& message) {
  return FormatDate(std::chrono::time_point_cast<Millis>(message.time));
}

}  // namespace

void JsonFormatter::format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) {
  constexpr size_t kAround = 128;  // of what is not the message
  std::string_view text(message.payload.data(), message.payload.size());
  std::string quoted = Quoted(text);
  // A byte may become six: \u001f.
  for (size_t most = kLineMax - kAround; quoted.size() > kLineMax - kAround; most /= 2) {
    quoted = Quoted(text.substr(0, most));
  }
  const spdlog::string_view_t level = spdlog::level::to_string_view(message.level);
  fmt::format_to(std::back_inserter(out),
                 R"({{"time":"{}","level":"{}","message":{}}})"
                 "\n",
                 TimeOf(message), std::string_view(level.data(), level.size()), quoted);
}

}  // namespace sidecar
