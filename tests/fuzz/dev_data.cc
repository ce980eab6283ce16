// The data file of `dev` and OFFLINE.
#include "adapters/world/world_data.h"
#include "fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sidecar;
  const auto world = ParseWorld(fuzz::Text(data, size), "data.json");
  fuzz::Require(world.ok() || !world.status().message().empty(), "a mistake is explained");
  return 0;
}
