#include "sim/simulation.h"

#include <algorithm>

#include "core/hottest_keys.h"
#include "service/encode.h"
#include "stigg/sidecar/v1/sidecar.pb.h"
#include "text/text.h"

namespace sidecar::sim {

namespace v1 = stigg::sidecar::v1;
using testing::FakeCall;

namespace {

constexpr Millis kFaultyLife{15 * 60'000};
constexpr Millis kCalm{5 * 60'000};
constexpr Millis kReadTimeout{2'000};

}  // namespace

Simulation::Simulation(uint64_t seed)
    : dice_(seed),
      definitions_([](const FeatureDefinition& feature) { return EncodeDefinition(feature); },
                   [](const CurrencyDefinition& currency) { return EncodeDefinition(currency); }),
      cache_({.limit_bytes = 1 << 20, .shards = 1}, epochs_, definitions_),
      door_(cache_, time_, random_, cover_, {}),
      source_(*this),
      guarded_(source_, time_, time_, Millis(1'000), {}),
      resolver_(cache_, door_, cover_, guarded_, source_, time_, time_, metrics_,
                {.fetch_timeout = Millis(3'000), .fetches_max = 3, .queue_max = 4, .waiters_max = 20}),
      refresh_(resolver_, time_, time_, {}),
      intake_(cover_, door_, refresh_, time_, [this](size_t most) { return HottestKeys(cache_, most); }),
      reporting_(
          dice_, time_, door_, metrics_,
          [this](UsageReporter& reporter) {
            return MakeHandlers({.cache = cache_,
                                 .resolver = resolver_,
                                 .cover = cover_,
                                 .reporter = reporter,
                                 .fallbacks = fallbacks_,
                                 .clock = time_,
                                 .metrics = metrics_,
                                 .settings = {.read_timeout = kReadTimeout, .report_timeout = Reporting::kTimeout}});
          },
          [this](const std::string& what) { Violated(what); }) {}

void Simulation::Source::Fetch(const EntityKey& key, MonoTime deadline, FetchDone done) {
  const std::string customer = key.customer_id;
  const bool fails = sim_.Chance(sim_.failing_);
  const Millis reach = sim_.Delay(sim_.Chance(sim_.slow_) ? 4'000 : 100);
  const Millis back = sim_.Delay(sim_.Chance(sim_.slow_) ? 4'000 : 100);
  auto shared = std::make_shared<FetchDone>(std::move(done));
  const MonoTime now = sim_.time_.Now();
  if (fails || now + reach + back >= deadline) {
    const bool late = !fails;
    sim_.time_.At(late ? deadline : std::min(deadline, now + reach), [shared, late] {
      std::move (*shared)(UpstreamFailure{
          .status = late ? absl::DeadlineExceededError("late") : absl::UnavailableError("down"), .transient = !late});
    });
    return;
  }
  sim_.time_.At(now + reach, [this, customer, back, shared] {
    const CustomerEntitlements answer = Truth::Answer(sim_.truth_.of(customer));
    sim_.time_.At(sim_.time_.Now() + back, [answer, shared] { std::move (*shared)(answer); });
  });
}

void Simulation::Run() {
  const MonoTime end = time_.Now() + kFaultyLife;
  while (time_.Now() < end && violations_.empty()) {
    Step();
    time_.Advance(Delay(Chance(0.05) ? 30'000 : 400));
    CheckReads(/*at_end=*/false);
    CheckOrder();
    reporting_.Check(/*at_end=*/false);
  }
  failing_ = slow_ = 0;
  reporting_.SetFaults(0, 0);
  if (!live_) ToggleFeed();
  time_.Advance(kCalm);
  CheckReads(/*at_end=*/true);
  CheckOrder();
  CheckConvergence();
  reporting_.Check(/*at_end=*/true);
}

void Simulation::Step() {
  switch (dice_.Pick(16)) {
    case 0:
      failing_ = Chance(0.5) ? 0 : dice_.Random();
      slow_ = Chance(0.5) ? 0 : dice_.Random();
      reporting_.SetFaults(failing_, Chance(0.7) ? 0 : dice_.Random());
      return Note(fmt::format("upstream fails {:.2f}, dawdles {:.2f}", failing_, slow_));
    case 1:
      if (Chance(0.4)) ToggleFeed();
      return;
    case 2:
      if (live_ && Chance(0.1)) intake_.OnPush(CatalogPush{});
      return;
    case 3:
    case 4:
      return Change();
    case 5:
      return UseOutside();
    case 6:
      if (Chance(0.2)) Reload();
      return;
    case 7:
      if (!Chance(0.05)) return;
      Note("crash");
      return reporting_.Crash();
    case 8:
    case 9:
      for (uint64_t n = 1 + dice_.Pick(3); n > 0; --n) reporting_.Report();
      return;
    default:
      for (uint64_t n = 1 + dice_.Pick(4); n > 0; --n) StartRead();
  }
}

void Simulation::StartRead() {
  const std::string customer = Customer();
  v1::GetMeteredEntitlementRequest request;
  request.set_customer_id(customer);
  request.set_feature_id("calls");
  Read read{.call = std::make_unique<FakeCall>(request.SerializeAsString()),
            .by = time_.Now() + kReadTimeout,
            .customer = customer};
  if (Chance(0.7)) {
    const Millis within = Delay(Chance(0.1) ? 10 : 3'000);
    read.call->call_deadline = time_.Now() + within;
    read.by = std::min(read.by, time_.Now() + within);
  }
  if (Chance(0.1)) read.call->metadata["x-max-staleness-ms"] = "1000";
  reads_.push_back(std::move(read));
  reporting_.handlers()[static_cast<size_t>(Method::kGetMeteredEntitlement)](*reads_.back().call);
}

void Simulation::Reload() {
  v1::ReloadEntitlementsRequest request;
  const std::string customer = Customer();
  request.set_customer_id(customer);
  Note("reload " + customer);
  reads_.push_back({.call = std::make_unique<FakeCall>(request.SerializeAsString()),
                    .by = time_.Now() + kReadTimeout,
                    .customer = customer});
  reporting_.handlers()[static_cast<size_t>(Method::kReloadEntitlements)](*reads_.back().call);
}

void Simulation::Change() {
  const std::string customer = Customer();
  if (Chance(0.5)) {
    truth_.ChangePlan(customer);
    PushList(customer);
  } else {
    truth_.Use(customer);
    PushUsage(customer);
  }
}

/// Usage of which the cache hears by a receipt and by a push, as of its own reports.
void Simulation::UseOutside() {
  const std::string customer = Customer();
  truth_.Use(customer);
  const Truth::State state = truth_.of(customer);
  PushUsage(customer);
  time_.At(time_.Now() + Delay(200), [this, customer, state] {
    door_.Apply(UsageReceipt{.key = EntityKey(customer, ""),
                             .feature_id = "calls",
                             .current_usage = state.usage,
                             .timestamp = Truth::UsageTime(state.usage)});
  });
}

void Simulation::ToggleFeed() {
  live_ = !live_;
  ++connection_;
  Note(live_ ? "feed live" : "feed lost");
  if (live_) {
    intake_.OnLive();
  } else {
    intake_.OnLost();
  }
}

void Simulation::PushList(const std::string& customer) {
  if (!live_) return;
  ListPush push{.key = EntityKey(customer, ""), .entitlements = Truth::Answer(truth_.of(customer))};
  for (int copies = Chance(0.1) ? 2 : 1; copies > 0; --copies) {
    time_.At(time_.Now() + Delay(300), [this, push, connection = connection_] {
      if (connection == connection_) intake_.OnPush(push);
    });
  }
}

void Simulation::PushUsage(const std::string& customer) {
  if (!live_) return;
  const Truth::State state = truth_.of(customer);
  UsagePush push{.key = EntityKey(customer, ""),
                 .id = "calls",
                 .current_usage = static_cast<double>(state.usage),
                 .updated_at = Truth::UsageTime(state.usage)};
  time_.At(time_.Now() + Delay(300), [this, push, connection = connection_] {
    if (connection == connection_) intake_.OnPush(push);
  });
}

void Simulation::CheckReads(bool at_end) {
  for (const Read& read : reads_) {
    if (read.call->ends > 1) Violated("a call of " + read.customer + " was answered twice");
    if (read.call->ends == 0 && (at_end || time_.Now() > read.by)) {
      Violated("a call of " + read.customer + " was not answered by its deadline");
    }
    if (read.call->ends == 1 && !read.call->status.ok()) Violated("a read failed: " + read.call->status.ToString());
  }
  std::erase_if(reads_, [](const Read& read) { return read.call->ends > 0; });
}

void Simulation::CheckOrder() {
  const EpochDomain::Guard guard(epochs_);
  for (size_t i = 0; i < kCustomers; ++i) {
    const std::string customer = "c" + std::to_string(i);
    const Record* const record = cache_.Find({customer, ""});
    if (record == nullptr) continue;
    FeatureView view;
    record->ReadFeature(0, view);
    const Truth::State now{static_cast<int>(view.usage_limit.value_or(0)), static_cast<int>(view.current_usage)};
    Truth::State& before = seen_[customer];
    if (now.list < before.list || now.usage < before.usage) {
      Violated(StrCat(customer, ": list ", before.list, " usage ", before.usage, " was replaced by list ", now.list,
                      " usage ", now.usage));
    }
    before = {std::max(now.list, before.list), std::max(now.usage, before.usage)};
  }
  if (cache_.stats().bytes > cache_.limit_bytes()) Violated("the cache is larger than its limit");
  if (resolver_.fetches() > 3 + 4) Violated("more fetches than places");
}

/// After the calm every read gives what is so.
void Simulation::CheckConvergence() {
  if (resolver_.fetches() != 0) Violated("a fetch never ended");
  for (size_t i = 0; i < kCustomers; ++i) {
    const std::string customer = "c" + std::to_string(i);
    v1::GetMeteredEntitlementRequest request;
    request.set_customer_id(customer);
    request.set_feature_id("calls");
    FakeCall call(request.SerializeAsString());
    reporting_.handlers()[static_cast<size_t>(Method::kGetMeteredEntitlement)](call);
    time_.Advance(kReadTimeout);
    v1::GetMeteredEntitlementResponse response;
    if (call.ends != 1 || !response.ParseFromString(call.response)) {
      Violated(customer + " is not answered after the calm");
      continue;
    }
    const Truth::State& truth = truth_.of(customer);
    if (response.is_fallback() || response.entitlement().usage_limit() != truth.list ||
        response.entitlement().current_usage() != truth.usage) {
      Violated(StrCat(customer, " is answered limit ", response.entitlement().usage_limit(), " usage ",
                      response.entitlement().current_usage(), response.is_fallback() ? " by fallback" : "",
                      ", but list ", truth.list, " usage ", truth.usage, " is so"));
    }
  }
}

void Simulation::Violated(const std::string& what) {
  violations_.push_back(StrCat("t=", time_.Now().time_since_epoch().count(), " ms: ", what));
}

void Simulation::Note(const std::string& what) {
  journal_.push_back(StrCat("t=", time_.Now().time_since_epoch().count(), " ms: ", what));
}

}  // namespace sidecar::sim
