#include "adapters/otlp/otlp_exporter.h"

#include <openssl/rand.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "adapters/json/json.h"
#include "text/text.h"

namespace sidecar {
namespace {

std::string SpanIdText(const SpanId& id) { return Hex({reinterpret_cast<const char*>(id.data()), id.size()}); }

Json Attribute(const std::string& key, const std::string& value) {
  return {{"key", key}, {"value", {{"stringValue", value}}}};
}

/// Whole numbers of 64 bits are texts in the JSON of protobuf.
std::string Nanos(WallTime at, std::chrono::nanoseconds before) {
  return std::to_string(ToEpochMs(at) * 1'000'000 - before.count());
}

Json SpanJson(const Span& span, WallTime ended) {
  Json out = {{"traceId", TraceIdText(span.context.trace_id)},
              {"spanId", SpanIdText(span.context.span_id)},
              {"parentSpanId", SpanIdText(span.parent)},
              {"name", span.name},
              {"kind", static_cast<int>(span.kind)},
              {"startTimeUnixNano", Nanos(ended, span.took)},
              {"endTimeUnixNano", Nanos(ended, std::chrono::nanoseconds(0))}};
  Json attributes = Json::array();
  for (const auto& [key, value] : span.attributes) attributes.push_back(Attribute(key, value));
  out["attributes"] = std::move(attributes);
  constexpr int kError = 2;
  if (span.failed) out["status"] = {{"code", kError}};
  return out;
}

}  // namespace

OtlpExporter::OtlpExporter(HttpTransport& transport, Clock& clock, Timers& timers, OtlpSettings settings)
    : transport_(transport), clock_(clock), timers_(timers), settings_(std::move(settings)) {
  Tick();
}

TraceContext OtlpExporter::Child(const TraceContext& parent) {
  TraceContext child = parent;
  RAND_bytes(child.span_id.data(), static_cast<int>(child.span_id.size()));
  child.span_id[0] |= 1;  // never all zeros
  return child;
}

void OtlpExporter::Record(Span span) {
  const WallTime now = clock_.WallNow();
  absl::MutexLock lock(&mu_);
  if (waiting_.size() >= settings_.waiting_max) return dropped_.Add();
  waiting_.push_back({.span = std::move(span), .at = now});
}

void OtlpExporter::Tick() {
  timers_.At(clock_.Now() + settings_.every, [this] {
    Flush([] {});
    Tick();
  });
}

std::vector<OtlpExporter::Ended> OtlpExporter::Take() {
  absl::MutexLock lock(&mu_);
  const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(std::min(waiting_.size(), settings_.batch_max));
  std::vector<Ended> batch(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(end));
  waiting_.erase(waiting_.begin(), end);
  return batch;
}

void OtlpExporter::Flush(absl::AnyInvocable<void() &&> done) {
  const std::vector<Ended> batch = Take();
  if (batch.empty()) return std::move(done)();
  Send(batch, [this, done = std::move(done)]() mutable { Flush(std::move(done)); });
}

void OtlpExporter::Send(const std::vector<Ended>& batch, absl::AnyInvocable<void() &&> done) {
  HttpRequest request{.method = "POST",
                      .url = settings_.endpoint + "/v1/traces",
                      .headers = {{"Content-Type", "application/json"}},
                      .body = Encode(batch),
                      .send_once = true};
  transport_.Send(std::move(request), clock_.Now() + settings_.timeout,
                  [this, count = batch.size(), done = std::move(done)](const HttpResult& result) mutable {
                    const bool taken = result.status.ok() && result.response.status / 100 == 2;
                    (taken ? exported_ : dropped_).Add(count);
                    if (!taken) {
                      spdlog::warn("{} spans were not taken by OTEL_EXPORTER_OTLP_ENDPOINT: {}", count,
                                   result.status.ok() ? StrCat("HTTP ", result.response.status)
                                                      : std::string(Message(result.status)));
                    }
                    std::move(done)();
                  });
}

std::string OtlpExporter::Encode(const std::vector<Ended>& batch) const {
  Json spans = Json::array();
  for (const Ended& each : batch) spans.push_back(SpanJson(each.span, each.at));
  Json scope = {{"scope", {{"name", "stigg-sidecar"}, {"version", settings_.service_version}}},
                {"spans", std::move(spans)}};
  Json resource = {{"attributes", Json::array({Attribute("service.name", settings_.service_name),
                                               Attribute("service.version", settings_.service_version)})}};
  Json one = {{"resource", std::move(resource)}, {"scopeSpans", Json::array({std::move(scope)})}};
  return Dump(Json{{"resourceSpans", Json::array({std::move(one)})}});
}

}  // namespace sidecar
