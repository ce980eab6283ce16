// Which of the two protocol generations a channel speaks.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "adapters/json/entitlements_codec.h"
#include "domain/time.h"

namespace sidecar {

enum class GenerationSetting : uint8_t { kAuto, kV2, kV1 };

/// The choice of one channel (Edge, GraphQL reads, writes). Starts with V2; falls back to V1
/// on evidence and asks for V2 again after an hour. Thread-safe.
/// Source: design section 7; docs/adr/0006.
class GenerationChoice {
 public:
  GenerationChoice(std::string channel, GenerationSetting setting) : channel_(std::move(channel)), setting_(setting) {}

  /// The generation to try first now.
  Generation Preferred(MonoTime now) const;

  /// Whether the other generation may be tried when upstream does not know the preferred one.
  bool MaySwitch() const { return setting_ == GenerationSetting::kAuto; }

  /// Upstream gave evidence for this generation. Logs when that changes the choice.
  void Settle(Generation generation, MonoTime now);

  static constexpr Millis kProbeEvery{3'600'000};

 private:
  const std::string channel_;
  const GenerationSetting setting_;
  /// ms of MonoTime until which V1 is chosen; INT64_MIN: V2 is.
  std::atomic<int64_t> v1_until_ms_{INT64_MIN};
};

}  // namespace sidecar
