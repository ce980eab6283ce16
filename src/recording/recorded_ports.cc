#include "recording/recorded_ports.h"

#include <memory>
#include <optional>
#include <type_traits>

#include "recording/event_codec.h"

namespace sidecar::recording {

Timers::Id DueTimers::At(MonoTime when, absl::AnyInvocable<void() &&> fn) {
  absl::MutexLock lock(&mu_);
  due_.emplace(std::pair{when, next_id_}, std::move(fn));
  when_.emplace(next_id_, when);
  return next_id_++;
}

bool DueTimers::Cancel(Id id) {
  absl::MutexLock lock(&mu_);
  const auto when = when_.find(id);
  if (when == when_.end()) return false;
  due_.erase({when->second, id});
  when_.erase(when);
  return true;
}

bool DueTimers::Due(MonoTime now) const {
  absl::MutexLock lock(&mu_);
  return !due_.empty() && due_.begin()->first.first <= now;
}

void DueTimers::Run(MonoTime now) {
  for (;;) {
    absl::AnyInvocable<void() &&> fn;
    {
      absl::MutexLock lock(&mu_);
      if (due_.empty() || due_.begin()->first.first > now) return;
      fn = std::move(due_.begin()->second);
      when_.erase(due_.begin()->first.second);
      due_.erase(due_.begin());
    }
    std::move(fn)();
  }
}

Timers::Id RecordedTimers::At(MonoTime when, absl::AnyInvocable<void() &&> fn) {
  const Id id = due_.At(when, std::move(fn));
  real_.At(when, [this] {
    const Recorder::Step step(recorder_);
    const MonoTime now = recorder_.clock().Now();
    if (!due_.Due(now)) return;  // ran with another, or was cancelled
    Event event;
    event.set_tick(true);
    recorder_.Write(event);
    due_.Run(now);
  });
  return id;
}

void RecordedSource::Fetch(const EntityKey& key, MonoTime deadline, FetchDone done) {
  const Recorder::Step step(recorder_);
  const uint64_t ordinal = recorder_.writing() ? ordinals_[key]++ : 0;
  const auto returned = std::make_shared<bool>(false);
  real_.Fetch(
      key, deadline,
      [this, key, ordinal, returned, done = std::move(done)](UpstreamResult<CustomerEntitlements> result) mutable {
        const Recorder::Step answered(recorder_);
        Event event;
        pb::Fetched* const fetched = event.mutable_fetched();
        fetched->set_reload(reload_);
        Write(recorder_.redaction().Key(key.view()), fetched->mutable_key());
        fetched->set_ordinal(ordinal);
        fetched->set_inside(!*returned);
        if (result.ok()) {
          recorder_.Write(event, result.value());
        } else {
          Write(result.failure(), fetched->mutable_failure());
          recorder_.Write(event);
        }
        std::move(done)(std::move(result));
      });
  *returned = true;
}

template <typename Answer, typename Send>
void RecordedSink::Report(absl::AnyInvocable<void(UpstreamResult<Answer>) &&> done, Send send) {
  const Recorder::Step step(recorder_);
  const Recorder::About about = recorder_.about();
  const auto returned = std::make_shared<bool>(false);
  send([this, about, returned, done = std::move(done)](UpstreamResult<Answer> result) mutable {
    const Recorder::Step answered(recorder_);
    recorder_.SetAbout({.request = about.request, .part = about.part + 1});
    Event event;
    pb::Reported* const reported = event.mutable_reported();
    reported->set_request(about.request);
    reported->set_part(about.part);
    reported->set_inside(!*returned);
    if (!result.ok()) {
      Write(result.failure(), reported->mutable_failure());
    } else if constexpr (std::is_same_v<Answer, std::vector<UsageReceipt>>) {
      for (const UsageReceipt& receipt : result.value()) {
        Write(receipt, recorder_.redaction(), reported->add_receipts());
      }
    }
    recorder_.Write(event);
    std::move(done)(std::move(result));
  });
  *returned = true;
}

void RecordedSink::ReportUsage(std::vector<UsageReport> reports, MonoTime deadline, UsageDone done) {
  Report<std::vector<UsageReceipt>>(std::move(done), [&](UsageDone recorded) {
    real_.ReportUsage(std::move(reports), deadline, std::move(recorded));
  });
}

void RecordedSink::ReportEvents(std::vector<UsageEvent> events, MonoTime deadline, EventsDone done) {
  Report<std::monostate>(std::move(done), [&](EventsDone recorded) {
    real_.ReportEvents(std::move(events), deadline, std::move(recorded));
  });
}

void RecordedFeed::OnLive() {
  const Recorder::Step step(recorder_);
  Event event;
  event.set_feed(true);
  recorder_.Write(event);
  real_.OnLive();
}

void RecordedFeed::OnLost() {
  const Recorder::Step step(recorder_);
  Event event;
  event.set_feed(false);
  recorder_.Write(event);
  real_.OnLost();
}

namespace {

/// Writes one push down.
struct PushWriter {
  Recorder& recorder;

  void operator()(const ListPush& push) const {
    Event event;
    Write(recorder.redaction().Key(push.key.view()), event.mutable_list_push());
    recorder.Write(event, push.entitlements);
  }
  void operator()(const UsagePush& push) const {
    Event event;
    Write(push, recorder.redaction(), event.mutable_usage_push());
    recorder.Write(event);
  }
  void operator()(const BalancePush& push) const {
    Event event;
    Write(push, recorder.redaction(), event.mutable_balance_push());
    recorder.Write(event);
  }
  void operator()(const CatalogPush&) const {
    Event event;
    event.set_catalog_push(true);
    recorder.Write(event);
  }
};

}  // namespace

void RecordedFeed::OnPush(Push push) {
  const Recorder::Step step(recorder_);
  std::visit(PushWriter{recorder_}, push);
  real_.OnPush(std::move(push));
}

FeedIntake::Hottest RecordHottest(Recorder& recorder, FeedIntake::Hottest hottest) {
  return [&recorder, hottest = std::move(hottest)](size_t most) {
    const Recorder::Step step(recorder);
    std::vector<EntityKey> keys = hottest(most);
    Event event;
    pb::Hottest* const written = event.mutable_hottest();
    for (const EntityKey& key : keys) Write(recorder.redaction().Key(key.view()), written->add_keys());
    recorder.Write(event);
    return keys;
  };
}

namespace {

/// A call whose answer is written down, and goes out when the step is over: the front may
/// hold its own locks while it waits for a step to end.
class RecordedCall final : public Call {
 public:
  RecordedCall(Recorder& recorder, Call& call, Method method, uint64_t id)
      : recorder_(recorder), call_(call), method_(method), id_(id) {}

  std::string_view request() override { return call_.request(); }
  std::optional<MonoTime> deadline() override { return call_.deadline(); }
  std::string_view Metadata(std::string_view name) override { return call_.Metadata(name); }
  std::optional<TraceContext> Trace() override { return call_.Trace(); }

  void Finish(std::string_view response, const AnswerOrigin& origin) override {
    const Recorder::Step step(recorder_);
    WriteAnswer(absl::StatusCode::kOk, response);
    recorder_.AfterStep([&call = call_, response = std::string(response), origin] { call.Finish(response, origin); });
    delete this;
  }

  void Fail(const absl::Status& status, std::string_view details) override {
    const Recorder::Step step(recorder_);
    WriteAnswer(status.code(), "");
    recorder_.AfterStep([&call = call_, status, details = std::string(details)] { call.Fail(status, details); });
    delete this;
  }

 private:
  ~RecordedCall() override = default;

  void WriteAnswer(absl::StatusCode code, std::string_view response) {
    if (id_ == 0 || !recorder_.writing()) return;
    Event event;
    pb::Answer* const answer = event.mutable_answer();
    answer->set_request(id_);
    answer->set_code(static_cast<uint32_t>(code));
    if (code == absl::StatusCode::kOk) {
      answer->set_message(recorder_.redaction().Answer(method_, response).value_or(""));
    }
    recorder_.Write(event);
  }

  Recorder& recorder_;
  Call& call_;
  const Method method_;
  const uint64_t id_;
};

/// Metadata is a caller's: only what can be a number is kept.
std::string Short(std::string_view text) {
  constexpr size_t kMost = 24;
  return std::string(text.substr(0, kMost));
}

void HandleRecorded(Recorder& recorder, Method method, const Handler& handler, Call& call) {
  const Recorder::Step step(recorder);
  const std::optional<std::string> message =
      recorder.writing() ? recorder.redaction().Request(method, call.request()) : std::nullopt;
  // What cannot be read is refused, whatever came before, and changes nothing.
  const uint64_t id = message.has_value() ? recorder.NextRequest() : 0;
  if (message.has_value()) {
    Event event;
    pb::Request* const request = event.mutable_request();
    request->set_id(id);
    request->set_method(static_cast<uint32_t>(method));
    request->set_message(*message);
    if (const auto deadline = call.deadline(); deadline.has_value()) {
      request->set_deadline_ms(deadline->time_since_epoch().count());
    }
    request->set_staleness_max(Short(call.Metadata("x-max-staleness-ms")));
    request->set_accept_durable(Short(call.Metadata("x-accept-durable")));
    recorder.Write(event);
  }
  recorder.SetAbout({.request = id});
  handler(*new RecordedCall(recorder, call, method, id));  // deletes itself when it ends
}

}  // namespace

Handlers RecordHandlers(Recorder& recorder, Handlers handlers) {
  for (size_t i = 0; i < handlers.size(); ++i) {
    handlers[i] = [&recorder, method = static_cast<Method>(i), inner = std::move(handlers[i])](Call& call) {
      HandleRecorded(recorder, method, inner, call);
    };
  }
  return handlers;
}

}  // namespace sidecar::recording
