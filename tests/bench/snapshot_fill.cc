// Writes the snapshot of a daemon that has customers of twenty metered features in memory, so that one can be started
// with a million of them in seconds. Usage: snapshot_fill CUSTOMERS FILE API_KEY URL… (as the daemon has them).
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "adapters/clock/system_clock.h"
#include "adapters/snapshot/snapshot_file.h"
#include "bench/check_world.h"
#include "core/snapshot.h"

namespace sidecar::bench {
namespace {

int Run(int customers, const std::string& path, const std::string& key, std::vector<std::string> urls) {
  const SystemClock clock;
  Definitions definitions{[](const FeatureDefinition& feature) { return EncodeDefinition(feature); },
                          [](const CurrencyDefinition& currency) { return EncodeDefinition(currency); }};
  EpochDomain epochs;
  EntitlementCache cache({.limit_bytes = size_t{8} << 30}, epochs, definitions);
  const CustomerEntitlements entitlements = TwentyMetered();
  for (int i = 0; i < customers; ++i) {
    const std::string customer = CustomerId(i);
    cache.Update({customer, ""}, [&](const Record*) {
      return Record::Build({customer, ""}, entitlements,
                           {.fetched_at = clock.Now(), .fetched_at_wall = clock.WallNow()}, definitions);
    });
  }
  SnapshotFile file({.path = path, .environment = {.urls = std::move(urls), .api_key = [&] { return key; }}}, clock);
  const AgeOfRecord age_of = [](const Record& record, MonoTime now) { return now - record.fetched_at(); };
  const auto size = WriteSnapshot(cache, clock, age_of, file, [] { return true; });
  if (!size.ok()) {
    std::fprintf(stderr, "%s\n", std::string(size.status().message()).c_str());
    return 1;
  }
  std::printf("%zu customers\n", size->records);
  return 0;
}

}  // namespace
}  // namespace sidecar::bench

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fprintf(stderr, "usage: snapshot_fill CUSTOMERS FILE API_KEY URL...\n");
    return 2;
  }
  return sidecar::bench::Run(std::atoi(argv[1]), argv[2], argv[3], {argv + 4, argv + argc});
}
