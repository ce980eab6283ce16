#include "sim/cloud_sink.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace sidecar::sim {

CloudSink::Fate CloudSink::Draw(MonoTime deadline) {
  const bool fails = dice_.Chance(failing);
  const bool slow = dice_.Chance(failing / 2);
  Fate fate;
  fate.counted_at = time_.Now() + dice_.Delay(slow ? 70'000 : 100);
  fate.answered_at = fate.counted_at + dice_.Delay(slow ? 10'000 : 100);
  if (fate.answered_at >= deadline) {  // what it counts after that, nobody hears of
    fate.answered_at = deadline;
    fate.failure = {.status = absl::DeadlineExceededError("late"), .safe_to_repeat = true};
  } else if (fails) {
    switch (dice_.Pick(4)) {
      case 0:  // never arrives
        fate.counts = false;
        fate.failure = {.status = absl::UnavailableError("down"), .surely_not_processed = true, .safe_to_repeat = true};
        break;
      case 1:  // the answer is lost
        fate.failure = {.status = absl::UnavailableError("cut off"), .safe_to_repeat = true};
        break;
      case 2:
        fate.counts = false;
        fate.failure = {.status = absl::UnavailableError("broken"), .http_status = 500, .safe_to_repeat = true};
        break;
      default:
        fate.counts = false;
        fate.failure = {.status = absl::ResourceExhaustedError("slow down"),
                        .http_status = 429,
                        .retry_after = dice_.Delay(5'000),
                        .surely_not_processed = true};
    }
  }
  return fate;
}

void CloudSink::Count(const std::vector<SpoolItem>& items) {
  for (const SpoolItem& item : items) {
    const std::string& key = std::visit([](const auto& r) -> const std::string& { return r.idempotency_key; }, item);
    if (keys_.emplace(key, true).second) counted_(item);
  }
}

void CloudSink::ReportUsage(std::vector<UsageReport> reports, MonoTime deadline, UsageDone done) {
  Fate fate = Draw(deadline);
  const auto poisoned = [](const UsageReport& report) { return report.value == kPoison; };
  if (std::ranges::any_of(reports, poisoned)) {
    if (fate.counts) fate.failure = UpstreamFailure{.status = absl::InvalidArgumentError("poison"), .http_status = 400};
    fate.counts = false;
  }
  std::vector<UsageReceipt> receipts;
  receipts.reserve(reports.size());
  for (const UsageReport& report : reports) {
    receipts.push_back({.measurement_id = report.idempotency_key, .key = report.key, .feature_id = report.feature_id});
  }
  if (fate.counts) {
    time_.At(fate.counted_at, [this, items = std::vector<SpoolItem>(reports.begin(), reports.end())] { Count(items); });
  }
  time_.At(fate.answered_at, [fate, receipts = std::move(receipts), done = std::move(done)]() mutable {
    if (fate.failure.has_value()) return std::move(done)(*fate.failure);
    std::move(done)(std::move(receipts));
  });
}

void CloudSink::ReportEvents(std::vector<UsageEvent> events, MonoTime deadline, EventsDone done) {
  const Fate fate = Draw(deadline);
  if (fate.counts) {
    time_.At(fate.counted_at, [this, items = std::vector<SpoolItem>(events.begin(), events.end())] { Count(items); });
  }
  time_.At(fate.answered_at, [fate, done = std::move(done)]() mutable {
    if (fate.failure.has_value()) return std::move(done)(*fate.failure);
    std::move(done)(std::monostate{});
  });
}

}  // namespace sidecar::sim
