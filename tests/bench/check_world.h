// A warm cache of customers with twenty metered features each, and the handlers over it.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "adapters/clock/system_clock.h"
#include "adapters/clock/system_random.h"
#include "core/guarded_source.h"
#include "service/encode.h"
#include "service/services.h"
#include "stigg/sidecar/v1/sidecar.pb.h"
#include "support/builders.h"
#include "support/fake_source.h"
#include "support/sim_clock.h"

namespace sidecar::bench {

inline constexpr int kFeatures = 20;

inline std::string CustomerId(int i) { return fmt::format("customer-{:07d}", i); }
inline std::string FeatureId(int i) { return fmt::format("feature-{:02d}", i); }

inline CustomerEntitlements TwentyMetered() {
  CustomerEntitlements value;
  for (int i = 0; i < kFeatures; ++i) {
    FeatureEntitlement feature = testing::Metered(FeatureId(i), 1000, 420);
    feature.period = {.reset = ResetPeriod::kMonth,
                      .anchor = WallTimeFromEpochMs(1'761'955'200'000),
                      .start = WallTimeFromEpochMs(1'793'491'200'000),
                      .end = WallTimeFromEpochMs(4'005'158'400'000)};
    feature.usage_updated_at = WallTimeFromEpochMs(1'795'255'200'000);
    value.features.push_back(feature);
  }
  return value;
}

/// The real clock, moved forward: an hour passes at once.
class ShiftedClock : public Clock {
 public:
  MonoTime Now() const override { return real_.Now() + shift_; }
  WallTime WallNow() const override { return real_.WallNow() + shift_; }
  void Shift(Millis by) { shift_ += by; }

 private:
  SystemClock real_;
  Millis shift_{0};
};

/// A cache of `customers`, and everything that a check needs.
class World {
 public:
  explicit World(int customers, size_t limit_bytes = size_t{8} << 30)
      : customers_(customers), cache_({.limit_bytes = limit_bytes, .shards = 64}, epochs_, definitions_) {
    const CustomerEntitlements entitlements = TwentyMetered();
    for (int i = 0; i < customers; ++i) {
      const std::string customer = CustomerId(i);
      door_.Admit(door_.StartFetch({customer, ""}), entitlements, RecordDoor::Mode::kReplace);
    }
    for (int i = 0; i < kFeatures; ++i) features_.push_back(FeatureId(i));
    // The order of keys is drawn beforehand: the generator's time is not ours.
    std::mt19937 random(1);
    for (int i = 0; i < kDraws; ++i) {
      uniform_.push_back(CustomerId(static_cast<int>(random() % static_cast<unsigned>(customers))));
    }
    std::vector<double> cumulative;
    double sum = 0;
    for (int i = 0; i < customers; ++i) cumulative.push_back(sum += 1 / std::pow(i + 1, 0.99));
    for (int i = 0; i < kDraws; ++i) {
      const double at = std::uniform_real_distribution<double>(0, sum)(random);
      zipf_.push_back(CustomerId(
          static_cast<int>(std::lower_bound(cumulative.begin(), cumulative.end(), at) - cumulative.begin())));
    }
    handlers_ = MakeHandlers({.cache = cache_,
                              .resolver = resolver_,
                              .cover = cover_,
                              .reporter = reporter_,
                              .fallbacks = fallbacks_,
                              .clock = clock_,
                              .metrics = metrics_,
                              .settings = {}});
  }

  /// Feed and upstream are gone for an hour; every second somebody reads.
  void SufferOutage() {
    cover_.OnLost(clock_.Now());
    source_.fail_at_once = true;
    for (int second = 0; second < 3600; ++second) {
      clock_.Shift(Millis(1'000));
      timers_.Advance(std::max(Millis(0), clock_.Now() - timers_.Now()));
      resolver_.RefreshIfSuspect({CustomerId(second % customers_), ""}, [] {});
    }
    source_.fetches = 0;
  }

  static World& Of(int customers) {
    static std::map<int, std::unique_ptr<World>> worlds;
    std::unique_ptr<World>& world = worlds[customers];
    if (world == nullptr) world = std::make_unique<World>(customers);
    return *world;
  }

  static constexpr int kDraws = 1 << 16;

  const int customers_;
  ShiftedClock clock_;
  SystemRandom random_;
  testing::SimTime timers_;
  Metrics metrics_;
  Definitions definitions_{[](const FeatureDefinition& f) { return EncodeDefinition(f); },
                           [](const CurrencyDefinition& c) { return EncodeDefinition(c); }};
  EpochDomain epochs_;
  EntitlementCache cache_;
  LiveCover cover_;
  RecordDoor door_{cache_, clock_, random_, cover_, {.ttl = Millis(1'800'000)}};
  testing::FakeSource source_;
  GuardedSource guarded_{source_, clock_, timers_, Millis(1'000), {}};
  EntitlementResolver resolver_{cache_, door_, cover_, guarded_, source_, clock_, timers_, metrics_, {}};
  class NoSink : public UsageSink {
    void ReportUsage(std::vector<UsageReport>, MonoTime, UsageDone) override {}
    void ReportEvents(std::vector<UsageEvent>, MonoTime, EventsDone) override {}
  } sink_;
  UsageReporter reporter_{sink_, door_};
  FallbackTable fallbacks_;
  Handlers handlers_;
  std::vector<std::string> features_;
  std::vector<std::string> uniform_;
  std::vector<std::string> zipf_;
};

/// A call that is a hit: bytes in, bytes out, nothing kept.
class BytesCall final : public Call {
 public:
  std::string_view request() override { return bytes; }
  std::optional<MonoTime> deadline() override { return std::nullopt; }
  std::string_view Metadata(std::string_view) override { return ""; }
  void Finish(std::string_view response, const AnswerOrigin&) override { response_size += response.size(); }
  void Fail(const absl::Status&, std::string_view) override { failed = true; }

  std::string_view bytes;
  size_t response_size = 0;
  bool failed = false;
};

/// Serialised metered checks of the world's customers, in drawn order.
inline std::vector<std::string> SerialisedRequests(const World& world, size_t count) {
  std::vector<std::string> requests;
  for (size_t i = 0; i < count; ++i) {
    stigg::sidecar::v1::GetMeteredEntitlementRequest request;
    request.set_customer_id(world.uniform_[i % world.uniform_.size()]);
    request.set_feature_id(FeatureId(static_cast<int>(i) % kFeatures));
    request.mutable_options()->set_requested_usage(1);
    requests.push_back(request.SerializeAsString());
  }
  return requests;
}

}  // namespace sidecar::bench
