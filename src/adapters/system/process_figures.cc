#include "adapters/system/process_figures.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include "text/text.h"

namespace sidecar {
namespace {

std::string ReadAll(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// When the machine was booted, seconds since 1970.
double BootTime(const std::string& proc) {
  const std::string text = ReadAll(proc + "/stat");
  const size_t at = text.find("\nbtime ");
  if (at == std::string::npos) return 0;
  const std::string_view rest = std::string_view(text).substr(at + 7);
  return static_cast<double>(ParseNumber<int64_t>(rest.substr(0, rest.find('\n'))).value_or(0));
}

uint64_t CountEntries(const std::string& folder) {
  std::error_code error;
  uint64_t count = 0;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    ++count;
  }
  return count;
}

}  // namespace

ProcessFigures ReadProcessFigures(const std::string& proc) {
  ProcessFigures figures;
  const std::string stat = ReadAll(proc + "/self/stat");
  // The name, in parentheses, may hold anything; what follows are numbers (proc(5)).
  const size_t name_end = stat.rfind(')');
  if (name_end != std::string::npos) {
    const std::vector<std::string_view> fields =
        Split(StripWhitespace(std::string_view(stat).substr(name_end + 1)), ' ');
    const auto field = [&](size_t number) {  // as proc(5) numbers them
      return number - 3 < fields.size() ? ParseNumber<int64_t>(fields[number - 3]).value_or(0) : 0;
    };
    const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
    figures.cpu_secs = static_cast<double>(field(14) + field(15)) / ticks;
    figures.threads = static_cast<uint64_t>(field(20));
    if (const double boot = BootTime(proc); boot > 0) {
      figures.started_at_secs = boot + static_cast<double>(field(22)) / ticks;
    }
    figures.virtual_bytes = static_cast<uint64_t>(field(23));
    figures.resident_bytes = static_cast<uint64_t>(field(24)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  }
  figures.open_fds = CountEntries(proc + "/self/fd");
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) figures.max_fds = limit.rlim_cur;
  return figures;
}

uint64_t RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  const rlim_t before = limit.rlim_cur;
  // Some libraries go through all of them when a process is made: a million is enough.
  constexpr rlim_t kMost = 1 << 20;
  limit.rlim_cur = std::min(limit.rlim_max, std::max(before, kMost));
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return before;
  return limit.rlim_cur;
}

}  // namespace sidecar
