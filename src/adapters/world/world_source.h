#pragma once

#include "adapters/world/world.h"
#include "ports/entitlement_source.h"
#include "ports/usage_sink.h"

namespace sidecar {

/// Upstream of OFFLINE_DATA_FILE: the world itself, no network. Answers before returning.
class WorldSource : public EntitlementSource, public UsageSink {
 public:
  explicit WorldSource(World& world) : world_(world) {}

  void Fetch(const EntityKey& key, MonoTime deadline, FetchDone done) override;
  void ReportUsage(std::vector<UsageReport> reports, MonoTime deadline, UsageDone done) override;
  void ReportEvents(std::vector<UsageEvent> events, MonoTime deadline, EventsDone done) override;

 private:
  World& world_;
};

/// Upstream of OFFLINE without data (docs/protocol.md section 8): knows nobody, so that
/// reads fall back, and accepts every report without counting it.
class OfflineSource : public EntitlementSource, public UsageSink {
 public:
  void Fetch(const EntityKey& key, MonoTime deadline, FetchDone done) override;
  void ReportUsage(std::vector<UsageReport> reports, MonoTime deadline, UsageDone done) override;
  void ReportEvents(std::vector<UsageEvent> events, MonoTime deadline, EventsDone done) override;
};

}  // namespace sidecar
