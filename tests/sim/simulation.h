// One life of the core under seeded faults, in simulated time: reads, usage, plan changes, an
// upstream that fails and dawdles, a feed that comes and goes, reports through a spool on a
// disk that fails too, and crashes.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cache/entitlement_cache.h"
#include "core/background_refresh.h"
#include "core/entitlement_resolver.h"
#include "core/feed_intake.h"
#include "core/guarded_source.h"
#include "service/services.h"
#include "sim/dice.h"
#include "sim/reporting.h"
#include "sim/truth.h"
#include "support/fake_call.h"
#include "support/sim_clock.h"

namespace sidecar::sim {

/// The same seed gives the same life. What goes wrong is in `violations`, with the time.
class Simulation {
 public:
  explicit Simulation(uint64_t seed);

  /// A quarter of an hour of faults, then calm, then the last checks.
  void Run();

  const std::vector<std::string>& violations() const { return violations_; }
  /// What happened, for whoever replays a seed.
  const std::vector<std::string>& journal() const { return journal_; }

 private:
  /// An upstream that answers what was so at some instant between question and answer.
  class Source : public EntitlementSource {
   public:
    explicit Source(Simulation& sim) : sim_(sim) {}
    void Fetch(const EntityKey& key, MonoTime deadline, FetchDone done) override;

   private:
    Simulation& sim_;
  };

  /// A read under way, and when it must have been answered.
  struct Read {
    std::unique_ptr<testing::FakeCall> call;
    MonoTime by;
    std::string customer;
  };

  void Step();
  void StartRead();
  void Reload();
  void Change();
  void UseOutside();
  void ToggleFeed();
  void PushList(const std::string& customer);
  void PushUsage(const std::string& customer);
  void CheckReads(bool at_end);
  void CheckOrder();
  void CheckConvergence();

  bool Chance(double p) { return dice_.Chance(p); }
  Millis Delay(int most_ms) { return dice_.Delay(most_ms); }
  std::string Customer() { return "c" + std::to_string(dice_.Pick(kCustomers)); }
  void Violated(const std::string& what);
  void Note(const std::string& what);

  static constexpr size_t kCustomers = 6;

  Dice dice_;
  testing::SimTime time_;
  testing::FixedRandom random_;
  Metrics metrics_;
  Definitions definitions_;
  EpochDomain epochs_;
  EntitlementCache cache_;
  LiveCover cover_;
  RecordDoor door_;
  Truth truth_;
  Source source_;
  GuardedSource guarded_;
  EntitlementResolver resolver_;
  BackgroundRefresh refresh_;
  FeedIntake intake_;
  FallbackTable fallbacks_;
  Reporting reporting_;

  bool live_ = false;
  uint64_t connection_ = 0;  // pushes of an earlier one are lost
  double failing_ = 0;       // share of fetches that fail now
  double slow_ = 0;          // share that dawdle
  std::vector<Read> reads_;
  std::map<std::string, Truth::State> seen_;  // newest that the cache has held
  std::vector<std::string> violations_;
  std::vector<std::string> journal_;
};

}  // namespace sidecar::sim
