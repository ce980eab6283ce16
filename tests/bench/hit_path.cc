// Runs the handler of a metered check N times, all hits, and nothing else: under callgrind the
// difference between two N is what one hit costs in instructions, whatever the machine does.
// usage: hit_path N [healthy|outage]
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string_view>

#include "bench/check_world.h"

namespace {

size_t allocations = 0;

}  // namespace

void* operator new(size_t size) {
  ++allocations;
  if (void* const block = std::malloc(size)) return block;
  throw std::bad_alloc();
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, size_t) noexcept { std::free(block); }

int main(int argc, char** argv) {
  using namespace sidecar::bench;
  World world(200);
  if (argc > 2 && std::string_view(argv[2]) == "outage") world.SufferOutage();
  const std::vector<std::string> requests = SerialisedRequests(world, 1000);
  const sidecar::Handler& handler = world.handlers_[static_cast<size_t>(sidecar::Method::kGetMeteredEntitlement)];
  BytesCall call;
  const int count = argc > 1 ? std::atoi(argv[1]) : 1000;
  size_t after_first = 0;
  for (int i = 0; i < count; ++i) {
    if (i == 1) after_first = allocations;  // the first hit of a thread makes its buffer
    call.bytes = requests[static_cast<size_t>(i) % requests.size()];
    handler(call);
  }
  if (call.failed || world.source_.fetches > 0) {
    std::fprintf(stderr, "not all were hits\n");
    return 1;
  }
  if (allocations != after_first) {
    std::fprintf(stderr, "hits allocate: %zu times in %d\n", allocations - after_first, count - 1);
    return 1;
  }
}
