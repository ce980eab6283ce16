#include "app/upstream.h"

#include <utility>

#include "adapters/world/world_source.h"
#include "app/cloud_upstream.h"
#include "dev/dev_upstream.h"
#include "text/text.h"

namespace sidecar {
namespace {

class WorldUpstream : public Upstream {
 public:
  WorldUpstream(WorldData data, Clock& clock) : world_(std::move(data), clock), source_(world_) {}

  EntitlementSource& source() override { return source_; }
  EntitlementSource& reload_source() override { return source_; }
  UsageSink& sink() override { return source_; }
  void FirstAttempt(absl::AnyInvocable<void() &&> ended) override { std::move(ended)(); }

 private:
  World world_;
  WorldSource source_;
};

class OfflineUpstream : public Upstream {
 public:
  EntitlementSource& source() override { return source_; }
  EntitlementSource& reload_source() override { return source_; }
  UsageSink& sink() override { return source_; }
  void FirstAttempt(absl::AnyInvocable<void() &&> ended) override { std::move(ended)(); }

 private:
  OfflineSource source_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Upstream>> MakeUpstream(const Config& config, const UpstreamTools& tools) {
  if (!config.offline) return std::make_unique<CloudUpstream>(config, tools);
  if (config.offline_data_file.empty()) return std::make_unique<OfflineUpstream>();
  absl::StatusOr<WorldData> data = dev::LoadWorld(config.offline_data_file);
  if (!data.ok()) return InvalidArgument("OFFLINE_DATA_FILE: ", Message(data.status()));
  return std::make_unique<WorldUpstream>(*std::move(data), tools.clock);
}

}  // namespace sidecar
