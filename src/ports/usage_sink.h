#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "domain/entity_key.h"
#include "domain/time.h"
#include "ports/upstream_failure.h"

namespace sidecar {

using DimensionValue = std::variant<std::string, double, bool>;
using Dimensions = std::map<std::string, DimensionValue>;

enum class UsageUpdate : uint8_t { kUnspecified, kDelta, kSet };

struct UsageReport {
  EntityKey key;
  std::string feature_id;
  double value = 0;
  UsageUpdate update = UsageUpdate::kUnspecified;  ///< unspecified: upstream's default, DELTA
  Dimensions dimensions;
  std::optional<WallTime> created_at;
  /// Sent to upstreams that know the member; makes a repeated report count once.
  std::string idempotency_key;
};

/// What upstream says of a report that it counted.
struct UsageReceipt {
  std::string measurement_id;
  EntityKey key;
  std::string feature_id;
  std::optional<double> current_usage;
  std::optional<WallTime> period_start;
  std::optional<WallTime> period_end;
  std::optional<WallTime> timestamp;
  /// New balance of the credit that paid for it.
  struct Credit {
    std::string currency_id;
    double current_usage = 0;
    std::optional<WallTime> usage_period_end;
    std::optional<WallTime> timestamp;
  };
  std::optional<Credit> credit;
};

struct UsageEvent {
  std::string event_name;
  EntityKey key;
  std::string idempotency_key;
  Dimensions dimensions;
  std::optional<WallTime> timestamp;
};

/// Where usage and events are reported to. `done` is called exactly once, by `deadline` at
/// the latest, from any thread. OK means that upstream acknowledged. Thread-safe.
class UsageSink {
 public:
  virtual ~UsageSink() = default;

  using UsageDone = absl::AnyInvocable<void(UpstreamResult<std::vector<UsageReceipt>>) &&>;
  using EventsDone = absl::AnyInvocable<void(UpstreamResult<std::monostate>) &&>;

  /// At most kUsagesPerCallMax reports. OK has a receipt for each, in their order.
  virtual void ReportUsage(std::vector<UsageReport> reports, MonoTime deadline, UsageDone done) = 0;
  /// At most kEventsPerCallMax events.
  virtual void ReportEvents(std::vector<UsageEvent> events, MonoTime deadline, EventsDone done) = 0;

  static constexpr size_t kUsagesPerCallMax = 100;
  static constexpr size_t kEventsPerCallMax = 1000;
};

}  // namespace sidecar
