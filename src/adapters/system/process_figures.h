#pragma once

#include <cstdint>
#include <string>

namespace sidecar {

/// What the kernel says of this process; what cannot be read is 0.
struct ProcessFigures {
  double cpu_secs = 0;         ///< user and system
  double started_at_secs = 0;  ///< since 1970
  uint64_t resident_bytes = 0;
  uint64_t virtual_bytes = 0;
  uint64_t threads = 0;
  uint64_t open_fds = 0;
  uint64_t max_fds = 0;  ///< the soft limit
};

/// `proc`: "/proc" but in tests.
ProcessFigures ReadProcessFigures(const std::string& proc = "/proc");

/// Raises the soft limit of file descriptors to the hard one; what it is now. Every connection takes one.
uint64_t RaiseDescriptorLimit();

}  // namespace sidecar
