// What a replayed core is given in place of the real ports: time, upstream and callers as they
// were. For one thread.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "ports/clock.h"
#include "ports/entitlement_source.h"
#include "ports/usage_sink.h"
#include "recording/event_codec.h"
#include "recording/recording_file.h"
#include "service/call.h"
#include "text/text.h"

namespace sidecar::recording {

using Step = Recording::Step;
using Event = pb::Event;

class ReplayClock : public Clock {
 public:
  MonoTime Now() const override { return now_; }
  WallTime WallNow() const override { return wall_; }
  void Set(const Event& event) {
    now_ = MonoTime(Millis(event.now_ms()));
    wall_ = WallTimeFromEpochMs(event.wall_ms());
  }

 private:
  MonoTime now_{};
  WallTime wall_{};
};

inline UpstreamResult<CustomerEntitlements> ResultOf(const Step& step) {
  if (step.entitlements.has_value()) return *step.entitlements;
  return Read(step.event.fetched().failure());
}

/// Upstream as it was: every fetch gets the answer that the same fetch got then, at the same
/// point of the order.
class RecordedAnswers {
 public:
  explicit RecordedAnswers(const Recording& recording) {
    for (const Step& step : recording.steps) {
      if (!step.event.has_fetched()) continue;
      const pb::Fetched& fetched = step.event.fetched();
      answers_.emplace(IdOf(fetched), &step);
    }
  }

  void Fetch(bool reload, const EntityKey& key, FetchDone done) {
    const Id id{reload, key.customer_id, key.resource_id, ordinals_[{reload, key.customer_id, key.resource_id}]++};
    const auto answer = answers_.find(id);
    if (answer == answers_.end()) {
      // The recording ended before, or this build asks where the recorded one did not.
      ++not_recorded_;
      never_.push_back(std::move(done));
      return;
    }
    if (answer->second->event.fetched().inside()) {
      taken_.insert(id);
      return std::move(done)(ResultOf(*answer->second));
    }
    waiting_.emplace(id, std::move(done));
  }

  /// It is the turn of this answer.
  void Arrive(const Step& step) {
    const Id id = IdOf(step.event.fetched());
    const auto waiting = waiting_.find(id);
    if (waiting == waiting_.end()) {
      if (taken_.erase(id) == 0) ++not_fetched_;
      return;
    }
    FetchDone done = std::move(waiting->second);
    waiting_.erase(waiting);
    std::move(done)(ResultOf(step));
  }

  uint64_t not_fetched() const { return not_fetched_; }
  uint64_t not_recorded() const { return not_recorded_; }

 private:
  using Id = std::tuple<bool, std::string, std::string, uint64_t>;

  static Id IdOf(const pb::Fetched& fetched) {
    return {fetched.reload(), fetched.key().customer_id(), fetched.key().resource_id(), fetched.ordinal()};
  }

  std::map<Id, const Step*> answers_;
  std::map<std::tuple<bool, std::string, std::string>, uint64_t> ordinals_;
  std::map<Id, FetchDone> waiting_;
  std::set<Id> taken_;
  std::vector<FetchDone> never_;  // kept: a fetch that is dropped would count as ended
  uint64_t not_fetched_ = 0;
  uint64_t not_recorded_ = 0;
};

class ReplaySource : public EntitlementSource {
 public:
  ReplaySource(RecordedAnswers& answers, bool reload) : answers_(answers), reload_(reload) {}

  void Fetch(const EntityKey& key, MonoTime /*deadline*/, FetchDone done) override {
    answers_.Fetch(reload_, key, std::move(done));
  }
  bool available() const override { return available_; }
  void SetAvailable(bool available) { available_ = available; }

 private:
  RecordedAnswers& answers_;
  const bool reload_;
  bool available_ = true;
};

/// Answers reports as upstream did.
class ReplaySink : public UsageSink {
 public:
  explicit ReplaySink(const Recording& recording) {
    for (const Step& step : recording.steps) {
      if (step.event.has_reported()) answers_.emplace(IdOf(step.event.reported()), &step.event.reported());
    }
  }

  void ReportUsage(std::vector<UsageReport> reports, MonoTime /*deadline*/, UsageDone done) override {
    Send([asked = reports.size(), done = std::move(done)](const pb::Reported& answer) mutable {
      if (answer.has_failure()) return std::move(done)(Read(answer.failure()));
      const auto answered = static_cast<size_t>(answer.receipts_size());
      if (answered != asked) {
        // A damaged recording, or this build makes other parts of a report.
        return std::move(done)(UpstreamFailure{.status = Error(absl::StatusCode::kInternal, "the recording has ",
                                                               answered, " receipts for ", asked, " reports")});
      }
      std::vector<UsageReceipt> receipts;
      for (const pb::Receipt& receipt : answer.receipts()) receipts.push_back(Read(receipt));
      std::move(done)(std::move(receipts));
    });
  }

  void ReportEvents(std::vector<UsageEvent> /*events*/, MonoTime /*deadline*/, EventsDone done) override {
    Send([done = std::move(done)](const pb::Reported& answer) mutable {
      if (answer.has_failure()) return std::move(done)(Read(answer.failure()));
      std::move(done)(std::monostate());
    });
  }

  /// Whose parts are sent from here on.
  void About(uint64_t request) { next_ = {request, 0}; }

  void Arrive(const pb::Reported& answer) {
    const auto waiting = waiting_.find(IdOf(answer));
    if (waiting == waiting_.end()) return;
    auto take = std::move(waiting->second);
    waiting_.erase(waiting);
    Answer(answer, std::move(take));
  }

 private:
  using Id = std::pair<uint64_t, uint32_t>;
  using Take = absl::AnyInvocable<void(const pb::Reported&) &&>;

  static Id IdOf(const pb::Reported& answer) { return {answer.request(), answer.part()}; }

  void Send(Take take) {
    const auto answer = answers_.find(next_);
    if (answer != answers_.end() && answer->second->inside()) return Answer(*answer->second, std::move(take));
    waiting_.emplace(next_, std::move(take));
  }

  void Answer(const pb::Reported& answer, Take take) {
    next_ = {answer.request(), answer.part() + 1};
    std::move(take)(answer);
  }

  std::map<Id, const pb::Reported*> answers_;
  std::map<Id, Take> waiting_;
  Id next_;
};

/// What a handler said.
struct Said {
  absl::StatusCode code = absl::StatusCode::kOk;
  std::string message;
};

class ReplayCall final : public Call {
 public:
  using Ended = std::function<void(uint64_t request, Said said)>;

  ReplayCall(const pb::Request& request, const Ended& ended) : request_(request), ended_(ended) {}

  std::string_view request() override { return request_.message(); }
  std::optional<MonoTime> deadline() override {
    if (!request_.has_deadline_ms()) return std::nullopt;
    return MonoTime(Millis(request_.deadline_ms()));
  }
  std::string_view Metadata(std::string_view name) override {
    if (name == "x-max-staleness-ms") return request_.staleness_max();
    if (name == "x-accept-durable") return request_.accept_durable();
    return "";
  }
  void Finish(std::string_view response, const AnswerOrigin& /*origin*/) override {
    End({.message = std::string(response)});
  }
  void Fail(const absl::Status& status, std::string_view /*details*/) override { End({.code = status.code()}); }

 private:
  void End(Said said) { ended_(request_.id(), std::move(said)); }  // may have deleted it

  const pb::Request& request_;
  const Ended& ended_;
};

}  // namespace sidecar::recording
