// What the machine or the container gives us. The file root is a parameter for tests.
#pragma once

#include <cstdint>
#include <string>

namespace sidecar {

struct MemoryLimit {
  uint64_t bytes = 0;
  std::string source;  ///< e.g. "cgroup v2 memory.max"
};

/// The smallest of the cgroup's limit (v2, then v1) and physical memory; 512 MiB, said so,
/// when nothing can be read. `root` is "/" but in tests.
MemoryLimit FindMemoryLimit(const std::string& root);

/// CPUs' worth of time: the cgroup's quota, else the CPUs this process may run on. >= 0.1.
double FindCpuQuota(const std::string& root);

}  // namespace sidecar
