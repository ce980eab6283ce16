#include "adapters/upstream/generation.h"

#include <spdlog/spdlog.h>

namespace sidecar {

Generation GenerationChoice::Preferred(MonoTime now) const {
  switch (setting_) {
    case GenerationSetting::kV2:
      return Generation::kV2;
    case GenerationSetting::kV1:
      return Generation::kV1;
    case GenerationSetting::kAuto:
      break;
  }
  return now.time_since_epoch().count() < v1_until_ms_.load(std::memory_order_relaxed) ? Generation::kV1
                                                                                       : Generation::kV2;
}

void GenerationChoice::Settle(Generation generation, MonoTime now) {
  if (!MaySwitch()) return;
  const int64_t until = generation == Generation::kV1 ? (now + kProbeEvery).time_since_epoch().count() : INT64_MIN;
  const int64_t before = v1_until_ms_.exchange(until, std::memory_order_relaxed);
  const bool was_v1 = before != INT64_MIN;
  if (was_v1 == (generation == Generation::kV1)) return;
  spdlog::warn("upstream {} speaks protocol generation {}", channel_, generation == Generation::kV1 ? "V1" : "V2");
}

}  // namespace sidecar
