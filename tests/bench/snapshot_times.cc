// How long a snapshot takes to write and to restore: customers of metered features.
//   snapshot_times [customers] [features, 1 to 20] [directory]
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "adapters/clock/system_clock.h"
#include "adapters/snapshot/snapshot_file.h"
#include "bench/check_world.h"
#include "core/snapshot.h"

namespace sidecar::bench {
namespace {

using Stopwatch = std::chrono::steady_clock;

double MillisSince(Stopwatch::time_point start) {
  return std::chrono::duration<double, std::milli>(Stopwatch::now() - start).count();
}

double ThreadCpuNanos() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

/// CPU nanoseconds of one look-up, of record and row, in a second of look-ups all over the cache.
double LookUpNanos(const EntitlementCache& cache, int customers) {
  std::vector<std::string> keys;
  std::mt19937 random(1);
  for (int i = 0; i < 10'000; ++i)
    keys.push_back(CustomerId(static_cast<int>(random() % static_cast<unsigned>(customers))));
  const std::string feature = FeatureId(0);
  size_t count = 0;
  const auto start = Stopwatch::now();
  const double cpu_start = ThreadCpuNanos();
  while (MillisSince(start) < 1000) {
    for (const std::string& customer : keys) {
      const EpochDomain::Guard guard(cache.epochs());
      const Record* const record = cache.Find({customer, ""}, feature);
      if (record == nullptr || record->FindFeature(feature) < 0) std::abort();
    }
    count += keys.size();
  }
  return (ThreadCpuNanos() - cpu_start) / static_cast<double>(count);
}

/// A cache with room for everything.
struct Store {
  Definitions definitions{[](const FeatureDefinition& feature) { return EncodeDefinition(feature); },
                          [](const CurrencyDefinition& currency) { return EncodeDefinition(currency); }};
  EpochDomain epochs;
  EntitlementCache cache{{.limit_bytes = size_t{4} << 30}, epochs, definitions};
};

int Run(int customers, size_t features, const std::string& directory) {
  const SystemClock clock;
  const std::string path = directory + "/snapshot-times." + std::to_string(getpid());
  const auto file = [&] {
    return std::make_unique<SnapshotFile>(
        SnapshotFile::Options{.path = path, .environment = {.urls = {"https://a"}, .api_key = [] { return "key"; }}},
        clock);
  };
  Store before;
  CustomerEntitlements entitlements = TwentyMetered();
  if (features < entitlements.features.size()) entitlements.features.resize(features);
  for (int i = 0; i < customers; ++i) {
    const std::string customer = CustomerId(i);
    const EntityKeyView key{customer, ""};
    before.cache.Update(key, [&](const Record*) {
      return Record::Build(key, entitlements, {.fetched_at = clock.Now(), .fetched_at_wall = clock.WallNow()},
                           before.definitions);
    });
    const EpochDomain::Guard guard(before.epochs);
    if (i % 2 == 0) before.cache.Find(key);
  }
  auto start = Stopwatch::now();
  const AgeOfRecord age_of = [](const Record& record, MonoTime now) { return now - record.fetched_at(); };
  const auto size = WriteSnapshot(before.cache, clock, age_of, *file(), [] { return true; });
  const double write_ms = MillisSince(start);
  if (!size.ok()) {
    std::fprintf(stderr, "%s\n", std::string(size.status().message()).c_str());
    return 1;
  }
  Store after;
  RestoredSnapshot restored;
  start = Stopwatch::now();
  const absl::Status status = RestoreSnapshot(after.cache, clock, *file(), restored);
  const double restore_ms = MillisSince(start);
  std::printf(
      "%zu records, %.1f MB in the cache, %.1f MB in the file: written and verified in %.0f ms, "
      "%zu restored in %.0f ms\n",
      size->records, static_cast<double>(before.cache.stats().bytes) / 1e6, static_cast<double>(size->bytes) / 1e6,
      write_ms, restored.records, restore_ms);
  // Look-ups beside a thread that does nothing but write snapshots, unpaced.
  std::vector<double> alone;
  std::vector<double> beside;
  for (int round = 0; round < 5; ++round) {
    alone.push_back(LookUpNanos(before.cache, customers));
    std::atomic<bool> stop{false};
    std::thread writer([&] {
      while (!stop) (void)WriteSnapshot(before.cache, clock, age_of, *file(), [&] { return !stop; });
    });
    beside.push_back(LookUpNanos(before.cache, customers));
    stop = true;
    writer.join();
  }
  std::sort(alone.begin(), alone.end());
  std::sort(beside.begin(), beside.end());
  std::printf("a look-up: %.0f ns of CPU, beside a write %.0f ns (medians of 5 alternating seconds)\n", alone[2],
              beside[2]);
  unlink(path.c_str());
  unlink((path + ".lock").c_str());
  return status.ok() ? 0 : 1;
}

}  // namespace
}  // namespace sidecar::bench

int main(int argc, char** argv) {
  return sidecar::bench::Run(argc > 1 ? std::atoi(argv[1]) : 100'000,
                             argc > 2 ? static_cast<size_t>(std::atoi(argv[2])) : 20, argc > 3 ? argv[3] : ".");
}
