#pragma once

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "ports/usage_sink.h"

namespace sidecar::testing {

/// An upstream for reports whose answers the test gives by hand, in any order. Remembers the
/// idempotency keys of every call.
class ScriptedSink : public UsageSink {
 public:
  struct Sent {
    std::vector<UsageReport> usage;
    std::vector<UsageEvent> events;
    MonoTime deadline;
    UsageDone usage_done;
    EventsDone events_done;

    std::vector<std::string> keys() const {
      std::vector<std::string> out;
      for (const UsageReport& report : usage) out.push_back(report.idempotency_key);
      for (const UsageEvent& event : events) out.push_back(event.idempotency_key);
      return out;
    }
  };

  void ReportUsage(std::vector<UsageReport> reports, MonoTime deadline, UsageDone done) override {
    waiting.push_back({.usage = std::move(reports), .deadline = deadline, .usage_done = std::move(done)});
    calls.push_back(waiting.back().keys());
  }
  void ReportEvents(std::vector<UsageEvent> events, MonoTime deadline, EventsDone done) override {
    waiting.push_back({.events = std::move(events), .deadline = deadline, .events_done = std::move(done)});
    calls.push_back(waiting.back().keys());
  }

  /// Answers the call that has waited longest.
  void Acknowledge() {
    Sent sent = Take();
    for (const std::string& key : sent.keys()) counted.push_back(key);
    if (sent.events_done != nullptr) return std::move(sent.events_done)(std::monostate{});
    std::vector<UsageReceipt> receipts;
    for (const UsageReport& report : sent.usage) {
      receipts.push_back({.measurement_id = "of " + report.idempotency_key,
                          .key = report.key,
                          .feature_id = report.feature_id,
                          .current_usage = 7});
    }
    std::move(sent.usage_done)(std::move(receipts));
  }

  void Fail(UpstreamFailure failure) {
    Sent sent = Take();
    if (sent.events_done != nullptr) return std::move(sent.events_done)(std::move(failure));
    std::move(sent.usage_done)(std::move(failure));
  }
  /// As a V2 upstream, or one that was not reached.
  void Fail(absl::StatusCode code, int http_status = 0) {
    Fail({.status = absl::Status(code, "scripted"), .http_status = http_status, .safe_to_repeat = true});
  }

  std::vector<std::vector<std::string>> calls;
  std::vector<std::string> counted;
  std::deque<Sent> waiting;

 private:
  Sent Take() {
    Sent sent = std::move(waiting.front());
    waiting.pop_front();
    return sent;
  }
};

}  // namespace sidecar::testing
