#include "adapters/world/world_source.h"

#include <utility>

#include "adapters/upstream/failure_mapping.h"
#include "ids/new_id.h"

namespace sidecar {

void WorldSource::Fetch(const EntityKey& key, MonoTime, FetchDone done) {
  std::move(done)(world_.Entitlements(key.view()));
}

void WorldSource::ReportUsage(std::vector<UsageReport> reports, MonoTime, UsageDone done) {
  std::vector<UsageReceipt> receipts;
  for (const UsageReport& report : reports) {
    auto outcome = world_.ReportUsage(report);
    if (const auto* error = std::get_if<WorldError>(&outcome)) {
      return std::move(done)(UpstreamFailure{.status = absl::Status(CodeForUpstreamCode(error->code), error->message),
                                             .upstream_code = error->code});
    }
    receipts.push_back(std::get<UsageReceipt>(std::move(outcome)));
  }
  std::move(done)(std::move(receipts));
}

void WorldSource::ReportEvents(std::vector<UsageEvent> events, MonoTime, EventsDone done) {
  world_.ReportEvents(events);
  std::move(done)(std::monostate{});
}

void OfflineSource::Fetch(const EntityKey&, MonoTime, FetchDone done) {
  std::move(done)(UpstreamFailure{.status = absl::UnavailableError("offline")});
}

void OfflineSource::ReportUsage(std::vector<UsageReport> reports, MonoTime, UsageDone done) {
  constexpr size_t kMeasurementIdLength = 21;
  std::vector<UsageReceipt> receipts;
  receipts.reserve(reports.size());
  for (const UsageReport& report : reports) {
    receipts.push_back(
        {.measurement_id = NewId(kMeasurementIdLength), .key = report.key, .feature_id = report.feature_id});
  }
  std::move(done)(std::move(receipts));
}

void OfflineSource::ReportEvents(std::vector<UsageEvent>, MonoTime, EventsDone done) {
  std::move(done)(std::monostate{});
}

}  // namespace sidecar
