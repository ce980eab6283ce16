// RECORD_PATH: what stands between the core and everything that it hears, while it is recorded.
#pragma once

#include <memory>

#include "admin/customer_routes.h"
#include "app/upstream.h"
#include "config/config.h"
#include "recording/recorded_ports.h"
#include "recording/recorder.h"

namespace sidecar {

class RecordingWiring {
 public:
  /// Begins the recording of the configuration. nullptr: there is none to be made, or its file
  /// cannot be (the log says why): the daemon serves all the same.
  static std::unique_ptr<RecordingWiring> Make(const Config& config, Clock& clock);

  // What the core is given in place of the real ones.
  Clock& clock() { return recorder_.clock(); }
  Random& random() { return recorder_.random(); }
  /// After this, the rest.
  void Attach(Upstream& upstream, Timers& timers);
  Timers& timers() { return *timers_; }
  EntitlementSource& source() { return *source_; }
  EntitlementSource& reload_source() { return *reload_source_; }
  UsageSink& sink() { return *sink_; }
  FeedIntake::Hottest Hottest(FeedIntake::Hottest hottest) { return RecordHottest(recorder_, std::move(hottest)); }
  ChangeSink& FeedInto(ChangeSink& intake);
  Handlers Wrap(Handlers handlers) { return RecordHandlers(recorder_, std::move(handlers)); }

  /// A report that the spool has delivered; `apply` takes the receipt in.
  void Delivered(const UsageReceipt& receipt, absl::FunctionRef<void()> apply);
  /// What an administrator is about to do, inside AsStep.
  void Heard(CustomerRoutes::Parts::Effect effect, const EntityKey& key);
  void AsStep(absl::FunctionRef<void()> fn);

  bool writing() const { return recorder_.writing(); }
  uint64_t bytes() const { return recorder_.bytes(); }
  void End(MonoTime deadline) { recorder_.End(deadline); }

 private:
  explicit RecordingWiring(Clock& clock) : recorder_(clock) {}

  recording::Recorder recorder_;
  std::unique_ptr<recording::RecordedTimers> timers_;
  std::unique_ptr<recording::RecordedSource> source_;
  std::unique_ptr<recording::RecordedSource> reload_source_;
  std::unique_ptr<recording::RecordedSink> sink_;
  std::unique_ptr<recording::RecordedFeed> feed_;
};

}  // namespace sidecar
