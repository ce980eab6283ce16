// The ports as a recorder hears them: each passes on what it is told, in a step, written down.
#pragma once

#include <functional>
#include <map>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "core/feed_intake.h"
#include "ports/change_feed.h"
#include "ports/entitlement_source.h"
#include "ports/timers.h"
#include "ports/usage_sink.h"
#include "recording/recorder.h"
#include "service/services.h"

namespace sidecar::recording {

/// Timers that are due run together, in the order of their time and making: as a replay runs
/// them. Thread-safe.
class DueTimers : public Timers {
 public:
  Id At(MonoTime when, absl::AnyInvocable<void() &&> fn) override;
  bool Cancel(Id id) override;
  /// Whether something is due.
  bool Due(MonoTime now) const;
  /// Runs what is due, and what that makes due.
  void Run(MonoTime now);

 private:
  mutable absl::Mutex mu_;
  std::map<std::pair<MonoTime, Id>, absl::AnyInvocable<void() &&>> due_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<Id, MonoTime> when_ ABSL_GUARDED_BY(mu_);
  Id next_id_ ABSL_GUARDED_BY(mu_) = 1;
};

class RecordedTimers : public Timers {
 public:
  RecordedTimers(Recorder& recorder, Timers& real) : recorder_(recorder), real_(real) {}

  Id At(MonoTime when, absl::AnyInvocable<void() &&> fn) override;
  bool Cancel(Id id) override { return due_.Cancel(id); }

 private:
  Recorder& recorder_;
  Timers& real_;
  DueTimers due_;
};

class RecordedSource : public EntitlementSource {
 public:
  RecordedSource(Recorder& recorder, EntitlementSource& real, bool reload)
      : recorder_(recorder), real_(real), reload_(reload) {}

  void Fetch(const EntityKey& key, MonoTime deadline, FetchDone done) override;
  bool available() const override { return recorder_.inside() ? recorder_.available() : real_.available(); }
  void NoteTooSlow(const EntityKey& key) override { real_.NoteTooSlow(key); }

 private:
  Recorder& recorder_;
  EntitlementSource& real_;
  const bool reload_;
  absl::flat_hash_map<EntityKey, uint64_t> ordinals_;  // touched in steps only
};

class RecordedSink : public UsageSink {
 public:
  RecordedSink(Recorder& recorder, UsageSink& real) : recorder_(recorder), real_(real) {}

  void ReportUsage(std::vector<UsageReport> reports, MonoTime deadline, UsageDone done) override;
  void ReportEvents(std::vector<UsageEvent> events, MonoTime deadline, EventsDone done) override;

 private:
  /// `send` passes a report on, with what is to hear its answer.
  template <typename Answer, typename Send>
  void Report(absl::AnyInvocable<void(UpstreamResult<Answer>) &&> done, Send send);

  Recorder& recorder_;
  UsageSink& real_;
};

/// Between the feed and whom it tells.
class RecordedFeed : public ChangeSink {
 public:
  RecordedFeed(Recorder& recorder, ChangeSink& real) : recorder_(recorder), real_(real) {}

  void OnLive() override;
  void OnLost() override;
  void OnPush(Push push) override;

 private:
  Recorder& recorder_;
  ChangeSink& real_;
};

/// `hottest`, and what it said written down.
FeedIntake::Hottest RecordHottest(Recorder& recorder, FeedIntake::Hottest hottest);

/// Handlers whose calls are steps, and whose answers go out after the step. Answers beyond
/// the step's own are written down too, wherever they come from.
Handlers RecordHandlers(Recorder& recorder, Handlers handlers);

}  // namespace sidecar::recording
