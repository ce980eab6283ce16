// Whether the cache's byte bound is one of the process: ten million customers pass through 256 MiB. Prints what was
// reached; ends with 1 when it was too much. Options: customers, limit in MiB.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <string>

#include "bench/check_world.h"

namespace sidecar::bench {
namespace {

constexpr size_t kMiB = 1 << 20;

/// Of the whole process, in bytes.
size_t Resident() {
  std::ifstream in("/proc/self/statm");
  size_t total = 0;
  size_t pages = 0;
  in >> total >> pages;
  return pages * 4096;
}

int Main(int customers, size_t limit) {
  World world(1, limit);
  const CustomerEntitlements entitlements = TwentyMetered();
  const size_t before = Resident();
  size_t bytes = 0;
  size_t retired = 0;
  size_t resident = 0;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < customers; ++i) {
    const std::string customer = CustomerId(i);
    world.door_.Admit(world.door_.StartFetch({customer, ""}), entitlements, RecordDoor::Mode::kReplace);
    if (i % 1024 != 0) continue;
    const EntitlementCache::Stats stats = world.cache_.stats();
    bytes = std::max(bytes, stats.bytes);
    retired = std::max(retired, stats.retired_bytes);
    resident = std::max(resident, Resident() - before);
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const EntitlementCache::Stats stats = world.cache_.stats();
  const auto mib = [](size_t size) { return static_cast<double>(size) / kMiB; };
  fmt::print(
      "{} customers of {} features in {:.1f} s, {} evicted; limit {} MiB, at most {:.1f} MiB in the cache and {:.1f} "
      "MiB "
      "retired, the process grew by {:.1f} MiB; {:.0f} bytes a customer\n",
      customers, kFeatures, seconds, stats.evictions, limit / kMiB, mib(bytes), mib(retired), mib(resident),
      static_cast<double>(stats.bytes) / static_cast<double>(stats.entries));
  // What is retired waits for readers, and the allocator keeps a little.
  constexpr double kAllocatorShare = 1.06;
  const bool held =
      bytes <= limit && static_cast<double>(resident) <= kAllocatorShare * static_cast<double>(limit + retired);
  return held && stats.evictions > 0 ? 0 : 1;
}

}  // namespace
}  // namespace sidecar::bench

int main(int argc, char** argv) {
  const int customers = argc > 1 ? std::atoi(argv[1]) : 10'000'000;
  const size_t limit = argc > 2 ? static_cast<size_t>(std::atoi(argv[2])) : 256;
  return sidecar::bench::Main(customers, limit * sidecar::bench::kMiB);
}
