// The cached check in this process: from key and feature to answer bytes, and the whole
// handler with parsing.
#include <benchmark/benchmark.h>

#include "bench/check_world.h"

namespace sidecar::bench {
namespace {

/// Clock, look-up, recency, feature look-up, decision, answer bytes.
void KeyToBytes(benchmark::State& state, bool zipf) {
  World& world = World::Of(static_cast<int>(state.range(0)));
  const AnswerEncoder encoder(world.metrics_);
  const std::vector<std::string>& keys = zipf ? world.zipf_ : world.uniform_;
  ReverseWriter out;
  size_t i = static_cast<size_t>(state.thread_index()) * 7919;
  for (auto _ : state) {
    ++i;
    const EpochDomain::Guard guard(world.epochs_);
    const MonoTime now = world.clock_.Now();
    const Check check{.form = CheckForm::kMetered, .id = world.features_[i % kFeatures], .ask = {.requested_usage = 1}};
    const Record* const record = world.cache_.Find({keys[i % World::kDraws], ""}, check.id);
    if (IsSuspect(*record, now, world.cover_)) state.SkipWithError("suspect");
    FeatureView view;
    record->ReadFeature(static_cast<size_t>(record->FindFeature(check.id)), view);
    out.Clear();
    encoder.WriteCheck(Decide(check, {.feature = &view}, world.clock_.WallNow()), check, kMeteredResponse, out);
    benchmark::DoNotOptimize(out.view().data());
  }
}

/// Look-up and recency alone.
void FindRecord(benchmark::State& state) {
  World& world = World::Of(static_cast<int>(state.range(0)));
  size_t i = 0;
  for (auto _ : state) {
    ++i;
    const EpochDomain::Guard guard(world.epochs_);
    const Record* record = world.cache_.Find({world.uniform_[i % World::kDraws], ""}, world.features_[i % kFeatures]);
    benchmark::DoNotOptimize(record);
  }
}

/// Look-up of record and feature, up to the view that rules look at.
void FindRow(benchmark::State& state) {
  World& world = World::Of(static_cast<int>(state.range(0)));
  FeatureView view;
  size_t i = 0;
  for (auto _ : state) {
    ++i;
    const EpochDomain::Guard guard(world.epochs_);
    const std::string& feature = world.features_[i % kFeatures];
    const Record* const record = world.cache_.Find({world.uniform_[i % World::kDraws], ""}, feature);
    record->ReadFeature(static_cast<size_t>(record->FindFeature(feature)), view);
    benchmark::DoNotOptimize(view.current_usage);
  }
}

/// Decision and answer bytes alone, from a view that is there.
void DecideAndEncode(benchmark::State& state) {
  World& world = World::Of(10);
  const AnswerEncoder encoder(world.metrics_);
  const EpochDomain::Guard guard(world.epochs_);
  const Record* const record = world.cache_.Find({world.uniform_[0], ""});
  FeatureView view;
  record->ReadFeature(3, view);
  ReverseWriter out;
  for (auto _ : state) {
    const Check check{.form = CheckForm::kMetered, .id = world.features_[3], .ask = {.requested_usage = 1}};
    out.Clear();
    encoder.WriteCheck(Decide(check, {.feature = &view}, world.clock_.WallNow()), check, kMeteredResponse, out);
    benchmark::DoNotOptimize(out.view().data());
  }
}

/// The handler as a front calls it: request bytes in, response bytes out.
void WholeHandler(benchmark::State& state) {
  World& world = World::Of(static_cast<int>(state.range(0)));

  const std::vector<std::string> requests = SerialisedRequests(world, 4096);
  BytesCall call;
  const Handler& handler = world.handlers_[static_cast<size_t>(Method::kGetMeteredEntitlement)];
  size_t i = 0;
  for (auto _ : state) {
    call.bytes = requests[++i % requests.size()];
    handler(call);
  }
  benchmark::DoNotOptimize(call.response_size);
  if (call.failed || world.source_.fetches > 0) state.SkipWithError("not a hit");
}

BENCHMARK_CAPTURE(KeyToBytes, uniform, false)->Arg(100)->Arg(10'000)->Arg(1'000'000);
BENCHMARK_CAPTURE(KeyToBytes, uniform, false)->Arg(10'000)->Threads(2);
BENCHMARK_CAPTURE(KeyToBytes, zipf, true)->Arg(10'000)->Arg(1'000'000);
BENCHMARK_CAPTURE(KeyToBytes, zipf, true)->Arg(10'000)->Threads(2);
BENCHMARK(WholeHandler)->Arg(10'000);
BENCHMARK(FindRecord)->Arg(100)->Arg(10'000);
BENCHMARK(FindRow)->Arg(100)->Arg(10'000);
BENCHMARK(DecideAndEncode);

}  // namespace
}  // namespace sidecar::bench
