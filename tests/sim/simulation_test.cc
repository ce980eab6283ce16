// Many seeded lives of the core. SIM_SEEDS=n runs n of them (default 300; scripts/test-deep
// runs 10,000), SIM_SEED=s replays one and prints its journal.
#include "sim/simulation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <iostream>
#include <thread>
#include <vector>

namespace sidecar::sim {
namespace {

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

bool Lives(uint64_t seed, bool with_journal) {
  Simulation simulation(seed);
  simulation.Run();
  if (with_journal) {
    for (const std::string& line : simulation.journal()) std::cout << line << "\n";
  }
  for (const std::string& violation : simulation.violations()) {
    ADD_FAILURE() << "seed " << seed << ": " << violation << " (replay with SIM_SEED=" << seed << ")";
  }
  return simulation.violations().empty();
}

TEST(SimulationTest, NoSeedBreaksAPromise) {
  const uint64_t one = FromEnvironment("SIM_SEED", 0);
  if (one != 0) {
    Lives(one, /*with_journal=*/true);
    return;
  }
  const uint64_t seeds = FromEnvironment("SIM_SEEDS", 300);
  std::atomic<uint64_t> next{1};
  std::atomic<int> broken{0};
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < std::max(1U, std::thread::hardware_concurrency()); ++i) {
    threads.emplace_back([&] {
      for (uint64_t seed = next++; seed <= seeds && broken < 3; seed = next++) {
        if (!Lives(seed, /*with_journal=*/false)) ++broken;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace sidecar::sim
