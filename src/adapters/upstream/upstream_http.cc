#include "adapters/upstream/upstream_http.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "adapters/upstream/failure_mapping.h"
#include "text/text.h"

namespace sidecar {
namespace {

UpstreamOutcome OutcomeOf(const HttpResult& result, const UpstreamResult<Json>& read) {
  if (read.ok()) return UpstreamOutcome::kOk;
  if (result.status.code() == absl::StatusCode::kDeadlineExceeded) return UpstreamOutcome::kTimeout;
  if (!result.status.ok()) return UpstreamOutcome::kUnavailable;
  if (read.failure().invalid_key) return UpstreamOutcome::kInvalidKey;
  const int status = result.response.status;
  if (status == 429) return UpstreamOutcome::kThrottled;
  if (status >= 500) return UpstreamOutcome::kServerError;
  // FailureFromResponse found nothing wrong with it: the body did not hold what it should.
  if (!FailureFromResponse(result.response).has_value()) return UpstreamOutcome::kMalformed;
  return UpstreamOutcome::kRefused;
}

}  // namespace

void UpstreamHttp::GetEdge(std::string url, MonoTime deadline, Done done) {
  Send(UpstreamTarget::kEdge, "GET edge",
       {.method = "GET", .url = std::move(url), .headers = EdgeHeaders(identity_, api_key_())}, deadline,
       std::move(done));
}

void UpstreamHttp::PostGraphql(std::string url, std::string_view operation, std::string body, bool once,
                               MonoTime deadline, Done done) {
  Send(UpstreamTarget::kGraphql, StrCat("POST graphql ", operation),
       {.method = "POST",
        .url = std::move(url),
        .headers = GraphqlHeaders(identity_, api_key_(), operation),
        .body = std::move(body),
        .send_once = once},
       deadline, std::move(done));
}

void UpstreamHttp::Send(UpstreamTarget target, std::string name, HttpRequest request, MonoTime deadline, Done done) {
  const std::optional<TraceContext> trace = TraceScope::Current();
  std::optional<TraceContext> own = trace;
  if (trace.has_value() && tracer_ != nullptr && trace->sampled) own = tracer_->Child(*trace);
  if (own.has_value()) request.headers.emplace_back("traceparent", own->Header());
  transport_.Send(std::move(request), deadline,
                  [this, target, name = std::move(name), trace, own, began = clock_.Stopwatch(),
                   done = std::move(done)](const HttpResult& result) mutable {
                    UpstreamResult<Json> read = Read(result);
                    const std::chrono::nanoseconds took = clock_.Stopwatch() - began;
                    const UpstreamOutcome outcome = OutcomeOf(result, read);
                    UpstreamExchanges& exchanges = metrics_.upstream[static_cast<size_t>(target)];
                    exchanges.duration.Observe(took);
                    exchanges.outcomes.Add(outcome);
                    const TraceScope scope(trace);
                    if (!read.ok()) {
                      Count(read.failure());
                      spdlog::debug("{} failed: {}", name, OneLine(Message(read.failure().status)));
                    }
                    if (own != trace) RecordSpan(std::move(name), *own, trace->span_id, took, outcome);
                    std::move(done)(std::move(read));
                  });
}

void UpstreamHttp::RecordSpan(std::string name, const TraceContext& own, const SpanId& parent,
                              std::chrono::nanoseconds took, UpstreamOutcome outcome) {
  tracer_->Record({.context = own,
                   .parent = parent,
                   .kind = Span::Kind::kClient,
                   .name = std::move(name),
                   .took = took,
                   .failed = outcome != UpstreamOutcome::kOk,
                   .attributes = {{"stigg.outcome", std::string(kUpstreamOutcomes[static_cast<size_t>(outcome)])}}});
}

UpstreamResult<Json> UpstreamHttp::Read(const HttpResult& result) {
  if (!result.status.ok()) return FailureFromTransport(result);
  if (auto failure = FailureFromResponse(result.response)) return *std::move(failure);
  absl::StatusOr<Json> data = DataIn(result.response);
  if (data.ok()) return *std::move(data);
  metrics_.malformed_responses.Add();
  return FailureFromBody(data.status());
}

void UpstreamHttp::Count(const UpstreamFailure& failure) {
  // The vendor's engine counts a rejected key instead of, not beside, a failed request
  // (docs/protocol.md section 1.5).
  (failure.invalid_key ? metrics_.invalid_api_key_errors : metrics_.network_request_errors).Add();
  if (failure.invalid_key) on_rejected_();
}

}  // namespace sidecar
