#include "app/recording_wiring.h"

#include <spdlog/spdlog.h>

#include "app/version.h"
#include "recording/event_codec.h"
#include "text/text.h"

namespace sidecar {

using recording::Recorder;

std::unique_ptr<RecordingWiring> RecordingWiring::Make(const Config& config, Clock& clock) {
  if (config.record_path.empty()) return nullptr;
  recording::pb::Header header;
  header.set_written_by(std::string(kVersion));
  header.set_ttl_ms(config.entitlements_ttl.count());
  header.set_read_budget_ms(config.suspect_refresh_budget.count());
  header.set_fetch_timeout_ms(config.entitlements_timeout.count());
  header.set_read_timeout_ms(config.entitlements_timeout.count());
  header.set_report_timeout_ms(config.report_timeout.count());
  header.set_offline(config.offline && config.offline_data_file.empty());
  header.set_spool(!config.spool_path.empty());
  recording::Write(config.entitlements_fallback, &header);
  std::unique_ptr<RecordingWiring> wiring(new RecordingWiring(clock));
  const absl::Status status =
      wiring->recorder_.Begin({.path = config.record_path, .bytes_max = config.record_max_bytes}, std::move(header));
  if (status.ok()) return wiring;
  spdlog::error("RECORD_PATH={}: nothing is recorded", Message(status));
  return nullptr;
}

void RecordingWiring::Attach(Upstream& upstream, Timers& timers) {
  timers_ = std::make_unique<recording::RecordedTimers>(recorder_, timers);
  source_ = std::make_unique<recording::RecordedSource>(recorder_, upstream.source(), /*reload=*/false);
  reload_source_ = std::make_unique<recording::RecordedSource>(recorder_, upstream.reload_source(), /*reload=*/true);
  sink_ = std::make_unique<recording::RecordedSink>(recorder_, upstream.sink());
  recorder_.WatchAvailability([&source = upstream.source()] { return source.available(); });
}

ChangeSink& RecordingWiring::FeedInto(ChangeSink& intake) {
  feed_ = std::make_unique<recording::RecordedFeed>(recorder_, intake);
  return *feed_;
}

void RecordingWiring::Delivered(const UsageReceipt& receipt, absl::FunctionRef<void()> apply) {
  const Recorder::Step step(recorder_);
  recording::Event event;
  recording::Write(receipt, recorder_.redaction(), event.mutable_receipt());
  recorder_.Write(event);
  apply();
}

void RecordingWiring::Heard(CustomerRoutes::Parts::Effect effect, const EntityKey& key) {
  recording::Event event;
  switch (effect) {
    case CustomerRoutes::Parts::Effect::kPurge:
      recording::Write(recorder_.redaction().Key(key.view()), event.mutable_purged());
      break;
    case CustomerRoutes::Parts::Effect::kReload:
      recording::Write(recorder_.redaction().Key(key.view()), event.mutable_reloaded());
      break;
    case CustomerRoutes::Parts::Effect::kResolve:
      recording::Write(recorder_.redaction().Key(key.view()), event.mutable_resolved());
      break;
  }
  recorder_.Write(event);
}

void RecordingWiring::AsStep(absl::FunctionRef<void()> fn) {
  const Recorder::Step step(recorder_);
  fn();
}

}  // namespace sidecar
