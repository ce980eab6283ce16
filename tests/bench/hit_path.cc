// Runs the handler of a metered check N times, all hits, and nothing else: under callgrind the
// difference between two N is what one hit costs in instructions, whatever the machine does.
// usage: hit_path N [healthy|outage]
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "bench/check_world.h"

int main(int argc, char** argv) {
  using namespace sidecar::bench;
  World world(200);
  if (argc > 2 && std::string_view(argv[2]) == "outage") world.SufferOutage();
  const std::vector<std::string> requests = SerialisedRequests(world, 1000);
  const sidecar::Handler& handler = world.handlers_[static_cast<size_t>(sidecar::Method::kGetMeteredEntitlement)];
  BytesCall call;
  const int count = argc > 1 ? std::atoi(argv[1]) : 1000;
  for (int i = 0; i < count; ++i) {
    call.bytes = requests[static_cast<size_t>(i) % requests.size()];
    handler(call);
  }
  if (call.failed || world.source_.fetches > 0) {
    std::fprintf(stderr, "not all were hits\n");
    return 1;
  }
}
