#include "recording/replay.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "cache/entitlement_cache.h"
#include "core/background_refresh.h"
#include "core/entitlement_resolver.h"
#include "core/feed_intake.h"
#include "core/usage_reporter.h"
#include "recording/event_codec.h"
#include "recording/recorded_ports.h"
#include "recording/replayed_ports.h"
#include "recording/seeded_random.h"
#include "service/answer_difference.h"
#include "service/contract.h"
#include "service/encode.h"
#include "service/services.h"
#include "text/text.h"

namespace sidecar::recording {
namespace {

constexpr size_t kProgressEvery = 1'000;

/// Of a file that anybody may have written: what a setting can be.
Millis Duration(int64_t ms) {
  constexpr int64_t kDay = 86'400'000;
  return Millis(std::clamp<int64_t>(ms, 0, kDay));
}

/// What was evicted then is not evicted now: that shows, where keys are hashed, who they are.
constexpr size_t kCacheBytes = size_t{8} << 30;

bool IsReport(Method method) {
  return method == Method::kReportUsage || method == Method::kReportUsageBulk || method == Method::kReportEvents;
}

class Run {
 public:
  Run(const Recording& recording, const ReplayHooks& hooks)
      : recording_(recording),
        hooks_(hooks),
        fallbacks_(ReadFallbacks(recording.header)),
        random_(recording.header.seed()),
        definitions_([](const FeatureDefinition& feature) { return EncodeDefinition(feature); },
                     [](const CurrencyDefinition& currency) { return EncodeDefinition(currency); }),
        cache_({.limit_bytes = kCacheBytes}, epochs_, definitions_),
        door_(cache_, clock_, random_, cover_, Freshness()),
        answers_(recording),
        source_(answers_, false),
        reload_source_(answers_, true),
        sink_(recording),
        resolver_(cache_, door_, cover_, source_, reload_source_, clock_, timers_, metrics_,
                  {.freshness = Freshness(),
                   .read_budget = Duration(recording.header.read_budget_ms()),
                   .fetch_timeout = Duration(recording.header.fetch_timeout_ms())}),
        refresh_(resolver_, clock_, timers_, BackgroundRefreshSettings{}),
        intake_(cover_, door_, refresh_, clock_, [this](size_t) { return hottest_; }),
        reporter_(sink_, door_),
        handlers_(MakeHandlers({.cache = cache_,
                                .resolver = resolver_,
                                .cover = cover_,
                                .reporter = reporter_,
                                .fallbacks = fallbacks_,
                                .clock = clock_,
                                .metrics = metrics_,
                                .settings = {.read_timeout = Duration(recording.header.read_timeout_ms()),
                                             .report_timeout = Duration(recording.header.report_timeout_ms()),
                                             .offline = recording.header.offline()}})) {}

  ReplayReport Play() {
    for (size_t i = 0; i < recording_.steps.size(); ++i) {
      if (i % kProgressEvery == 0) hooks_.progress(i, recording_.steps.size());
      const Step& step = recording_.steps[i];
      clock_.Set(step.event);
      FindHottest(i);
      sink_.About(0);
      Take(step);
    }
    // What this build has not answered by now it did not answer in time.
    for (const auto& [id, answer] : recorded_) Differs(id, {{"(answer)", "given", "none by the recording's end"}});
    report_.unanswered = replayed_.size();
    report_.not_fetched = answers_.not_fetched();
    report_.not_recorded = answers_.not_recorded();
    hooks_.progress(recording_.steps.size(), recording_.steps.size());
    return report_;
  }

 private:
  FreshnessSettings Freshness() const { return {.ttl = Duration(recording_.header.ttl_ms())}; }

  /// A feed that begins asks for the hottest records while it is taken in: they are written
  /// down behind it.
  void FindHottest(size_t at) {
    if (!recording_.steps[at].event.feed() || at + 1 >= recording_.steps.size()) return;
    hottest_.clear();
    for (const pb::Key& key : recording_.steps[at + 1].event.hottest().keys()) hottest_.push_back(Read(key));
  }

  void Take(const Step& step) {
    const Event& event = step.event;
    switch (event.what_case()) {
      case Event::kRequest:
        return Ask(event);
      case Event::kAnswer:
        return Recorded(event.answer());
      case Event::kFetched:
        return answers_.Arrive(step);
      case Event::kReported:
        return sink_.Arrive(event.reported());
      case Event::kListPush:
        return intake_.OnPush(ListPush{Read(event.list_push()), step.entitlements.value_or(CustomerEntitlements{})});
      case Event::kUsagePush:
        return intake_.OnPush(Read(event.usage_push()));
      case Event::kBalancePush:
        return intake_.OnPush(Read(event.balance_push()));
      case Event::kCatalogPush:
        return intake_.OnPush(CatalogPush{});
      case Event::kFeed:
        return event.feed() ? intake_.OnLive() : intake_.OnLost();
      case Event::kTick:
        return timers_.Run(clock_.Now());
      case Event::kAvailable:
        return source_.SetAvailable(event.available());
      case Event::kReceipt:
        return door_.Apply(Read(event.receipt()));
      case Event::kPurged:
        cache_.Erase(Read(event.purged()).view());
        return;
      case Event::kReloaded:
        return resolver_.Reload(Read(event.reloaded()).view(), MonoTime::max(), [](const Resolution&) {});
      case Event::kResolved:
        return resolver_.Resolve(Read(event.resolved()).view(), EntitlementResolver::Patience::kDeadline,
                                 MonoTime::max(), [](const Resolution&) {});
      case Event::kHottest:
      case Event::WHAT_NOT_SET:
        return;
    }
  }

  void Ask(const Event& event) {
    const pb::Request& request = event.request();
    if (request.method() >= kMethodCount) return;  // of a later daemon
    if (asked_.contains(request.id())) return;     // of a file that no daemon wrote
    ++report_.requests;
    auto call = std::make_unique<ReplayCall>(request, ended_);
    ReplayCall& asked = *call;
    asked_.emplace(request.id(), Asked{&event, std::move(call)});
    sink_.About(request.id());
    handlers_[request.method()](asked);
  }

  /// The recording says how it was answered.
  void Recorded(const pb::Answer& answer) {
    if (!asked_.contains(answer.request())) return;
    const auto replayed = replayed_.find(answer.request());
    if (replayed == replayed_.end()) {
      recorded_.emplace(answer.request(), &answer);
      return;
    }
    const Said said = std::move(replayed->second);
    replayed_.erase(replayed);
    Compare(answer, said);
  }

  /// This build has answered.
  void Replayed(uint64_t request, Said said) {
    const auto recorded = recorded_.find(request);
    if (recorded == recorded_.end()) {
      replayed_.emplace(request, std::move(said));
      return;
    }
    const pb::Answer& answer = *recorded->second;
    recorded_.erase(recorded);
    Compare(answer, said);
  }

  void Compare(const pb::Answer& recorded, const Said& replayed) {
    const auto method = static_cast<Method>(asked_.at(recorded.request()).event->request().method());
    // With a spool, some were acknowledged by the disk.
    const bool compared = !(recording_.header.spool() && IsReport(method));
    if (compared) {
      ++report_.compared;
      const auto code = static_cast<absl::StatusCode>(recorded.code());
      if (code != replayed.code) {
        Differs(recorded.request(),
                {{"(status)", absl::StatusCodeToString(code), absl::StatusCodeToString(replayed.code)}});
      } else if (code == absl::StatusCode::kOk && recorded.message() != replayed.message) {
        std::vector<AnswerDiffers::Field> fields;
        for (FieldDifference& difference : CompareAnswers(method, recorded.message(), replayed.message)) {
          fields.push_back({std::move(difference.path), std::move(difference.ours), std::move(difference.theirs)});
        }
        if (!fields.empty()) Differs(recorded.request(), std::move(fields));
      }
    }
    asked_.erase(recorded.request());
  }

  void Differs(uint64_t request, std::vector<AnswerDiffers::Field> fields) {
    ++report_.differing;
    const Event& event = *asked_.at(request).event;
    hooks_.differs(
        {.request = request,
         .at = WallTimeFromEpochMs(event.wall_ms()),
         .method = static_cast<Method>(event.request().method()),
         .subject = SubjectOfRequest(static_cast<Method>(event.request().method()), event.request().message()),
         .fields = std::move(fields)});
  }

  const Recording& recording_;
  const ReplayHooks& hooks_;
  const FallbackTable fallbacks_;
  ReplayClock clock_;
  SeededRandom random_;
  DueTimers timers_;
  Metrics metrics_;
  LiveCover cover_;
  Definitions definitions_;
  EpochDomain epochs_;
  EntitlementCache cache_;
  RecordDoor door_;
  RecordedAnswers answers_;
  ReplaySource source_;
  ReplaySource reload_source_;
  ReplaySink sink_;
  EntitlementResolver resolver_;
  BackgroundRefresh refresh_;
  std::vector<EntityKey> hottest_;
  FeedIntake intake_;
  UsageReporter reporter_;
  Handlers handlers_;
  const ReplayCall::Ended ended_ = [this](uint64_t request, Said said) { Replayed(request, std::move(said)); };

  struct Asked {
    const Event* event;
    std::unique_ptr<ReplayCall> call;
  };
  std::map<uint64_t, Asked> asked_;                 // and not compared yet
  std::map<uint64_t, const pb::Answer*> recorded_;  // which this build has not given yet
  std::map<uint64_t, Said> replayed_;               // which the recording has not said yet
  ReplayReport report_;
};

}  // namespace

ReplayReport Replay(const Recording& recording, const ReplayHooks& hooks) { return Run(recording, hooks).Play(); }

}  // namespace sidecar::recording
