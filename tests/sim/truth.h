// What is really so in the simulated cloud: each customer has a plan and a usage, and both
// only ever move on.
#pragma once

#include <map>
#include <string>

#include "domain/entitlement.h"
#include "domain/time.h"
#include "support/builders.h"

namespace sidecar::sim {

class Truth {
 public:
  struct State {
    int list = 1;   ///< version of the plan: the limit of the feature
    int usage = 0;  ///< version and amount of the usage
  };

  const State& of(const std::string& customer) { return states_[customer]; }
  void ChangePlan(const std::string& customer) { ++states_[customer].list; }
  void Use(const std::string& customer) { ++states_[customer].usage; }

  static WallTime ListTime(int version) { return WallTimeFromEpochMs(1'795'000'000'000 + version * 1000); }
  static WallTime UsageTime(int version) { return WallTimeFromEpochMs(1'795'100'000'000 + version); }

  /// As upstream answers it.
  static CustomerEntitlements Answer(const State& state) {
    FeatureEntitlement feature = testing::Metered("calls", state.list, state.usage);
    feature.usage_updated_at = UsageTime(state.usage);
    CustomerEntitlements list = testing::Of({feature});
    list.updated_at = ListTime(state.list);
    return list;
  }

 private:
  std::map<std::string, State> states_;
};

}  // namespace sidecar::sim
