// Writes: sends usage and events upstream in parts, and lets reads see at once what upstream
// acknowledged. Source: design section 9.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "core/record_door.h"
#include "ports/usage_sink.h"

namespace sidecar {

/// Outcome of a report that may have been sent in several parts.
struct ReportOutcome {
  size_t total = 0;
  size_t acknowledged = 0;                 ///< items upstream counted, from the first on
  std::vector<UsageReceipt> receipts;      ///< of the acknowledged usages, in order
  std::optional<UpstreamFailure> failure;  ///< of the part after them; the rest was not sent
};

/// Thread-safe. `done` runs once, by `deadline`, on a transport or timer thread.
class UsageReporter {
 public:
  using Done = absl::AnyInvocable<void(ReportOutcome) &&>;

  UsageReporter(UsageSink& sink, RecordDoor& door) : sink_(sink), door_(door) {}

  void ReportUsage(std::vector<UsageReport> reports, MonoTime deadline, Done done);
  void ReportEvents(std::vector<UsageEvent> events, MonoTime deadline, Done done);

 private:
  template <typename Item>
  struct Batch;

  void SendNext(std::unique_ptr<Batch<UsageReport>> batch);
  void SendNext(std::unique_ptr<Batch<UsageEvent>> batch);

  UsageSink& sink_;
  RecordDoor& door_;
};

}  // namespace sidecar
