// What the simulated cloud does with reports.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "ports/spool_store.h"
#include "ports/usage_sink.h"
#include "sim/dice.h"
#include "support/sim_clock.h"

namespace sidecar::sim {

/// Counts a report once a key; fails before or after it has counted, answers late or in
/// error, and refuses what is poisoned.
class CloudSink : public UsageSink {
 public:
  /// Hears of each report when it is counted for the first time.
  using Counted = std::function<void(const SpoolItem&)>;

  CloudSink(Dice& dice, testing::SimTime& time, Counted counted)
      : dice_(dice), time_(time), counted_(std::move(counted)) {}

  void ReportUsage(std::vector<UsageReport> reports, MonoTime deadline, UsageDone done) override;
  void ReportEvents(std::vector<UsageEvent> events, MonoTime deadline, EventsDone done) override;

  bool HasCounted(const std::string& key) const { return keys_.contains(key); }

  double failing = 0;                    ///< share of the calls that go wrong
  static constexpr double kPoison = -1;  ///< a value that is refused for ever

 private:
  /// What becomes of one call.
  struct Fate {
    bool counts = true;
    std::optional<UpstreamFailure> failure;
    MonoTime counted_at;
    MonoTime answered_at;
  };
  Fate Draw(MonoTime deadline);
  void Count(const std::vector<SpoolItem>& items);

  Dice& dice_;
  testing::SimTime& time_;
  const Counted counted_;
  std::map<std::string, bool> keys_;
};

}  // namespace sidecar::sim
