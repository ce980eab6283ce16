// ENTITLEMENTS_FALLBACK.
#include "adapters/json/fallback_codec.h"
#include "fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sidecar;
  const auto table = ParseFallbacks(fuzz::Text(data, size));
  if (!table.ok()) {
    fuzz::Require(!table.status().message().empty(), "a mistake is explained");
    return 0;
  }
  const std::string written = FormatFallbacks(*table);
  if (written.empty()) return 0;
  const auto again = ParseFallbacks(written);
  fuzz::Require(again.ok(), "what was read can be read after it was written");
  fuzz::Require(FormatFallbacks(*again) == written, "writing is stable");
  return 0;
}
