#include "adapters/system/limits.h"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>

namespace sidecar {
namespace {

std::optional<std::string> ReadText(const std::string& path) {
  std::ifstream in(path);
  if (!in) return std::nullopt;
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// First number in the file; nullopt for "max", which means none.
std::optional<uint64_t> ReadNumber(const std::string& path) {
  const std::optional<std::string> text = ReadText(path);
  if (!text.has_value()) return std::nullopt;
  std::istringstream in(*text);
  uint64_t number = 0;
  return in >> number ? std::optional(number) : std::nullopt;
}

/// Folder of this process in a cgroup hierarchy, e.g. "/kubepods/pod1/abc"; v2 when
/// `controller` is empty.
std::string CgroupPath(const std::string& root, const std::string& controller) {
  std::istringstream lines(ReadText(root + "/proc/self/cgroup").value_or(""));
  std::string wanted(1, ',');
  wanted.append(controller).append(1, ',');
  for (std::string line; std::getline(lines, line);) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool match = controller.empty() ? controllers == ",," : controllers.find(wanted) != std::string::npos;
    if (match) return line.substr(second + 1);
  }
  return "/";
}

/// Smallest number in `file` from the process' folder up to the mount: a parent may be
/// stricter, and inside a container the folder is often not visible.
std::optional<uint64_t> SmallestUpwards(const std::string& mount, std::string folder, const std::string& file) {
  std::optional<uint64_t> smallest;
  for (;;) {
    std::string path = mount;
    path.append(folder).append("/").append(file);
    const std::optional<uint64_t> here = ReadNumber(path);
    if (here.has_value()) smallest = std::min(*here, smallest.value_or(*here));
    if (folder.empty() || folder == "/") return smallest;
    folder = folder.substr(0, folder.rfind('/'));
  }
}

std::optional<uint64_t> PhysicalMemory(const std::string& root) {
  std::istringstream in(ReadText(root + "/proc/meminfo").value_or(""));
  std::string label;
  uint64_t kib = 0;
  if (in >> label >> kib && label == "MemTotal:") return kib * 1024;
  return std::nullopt;
}

}  // namespace

MemoryLimit FindMemoryLimit(const std::string& root) {
  MemoryLimit limit;
  const auto consider = [&](std::optional<uint64_t> bytes, const char* source) {
    if (bytes.has_value() && *bytes > 0 && (limit.bytes == 0 || *bytes < limit.bytes)) limit = {*bytes, source};
  };
  consider(PhysicalMemory(root), "physical memory");
  consider(SmallestUpwards(root + "/sys/fs/cgroup", CgroupPath(root, ""), "memory.max"), "cgroup v2 memory.max");
  consider(SmallestUpwards(root + "/sys/fs/cgroup/memory", CgroupPath(root, "memory"), "memory.limit_in_bytes"),
           "cgroup v1 memory.limit_in_bytes");
  if (limit.bytes == 0) return {512ULL << 20, "a guess: no limit could be read"};
  return limit;
}

double FindCpuQuota(const std::string& root) {
  double cpus = 1;
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) cpus = CPU_COUNT(&set);
  std::istringstream v2(ReadText(root + "/sys/fs/cgroup/cpu.max").value_or(""));
  double quota = 0;
  double period = 0;
  if (v2 >> quota >> period && quota > 0 && period > 0) return std::max(0.1, std::min(cpus, quota / period));
  const auto v1_quota = ReadNumber(root + "/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
  const auto v1_period = ReadNumber(root + "/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  if (v1_quota.value_or(0) > 0 && v1_period.value_or(0) > 0) {
    const double ratio = static_cast<double>(*v1_quota) / static_cast<double>(*v1_period);
    // A quota of -1, "none", reads as a huge unsigned number.
    return std::max(0.1, std::min(cpus, ratio));
  }
  return std::max(0.1, cpus);
}

}  // namespace sidecar
