// A core that is recorded: traffic, upstream, pushes and time come from one seed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cache/entitlement_cache.h"
#include "core/background_refresh.h"
#include "core/entitlement_resolver.h"
#include "core/feed_intake.h"
#include "core/hottest_keys.h"
#include "core/usage_reporter.h"
#include "recording/event_codec.h"
#include "recording/recorded_ports.h"
#include "recording/recorder.h"
#include "service/encode.h"
#include "service/services.h"
#include "sim/dice.h"
#include "stigg/sidecar/v1/sidecar.pb.h"
#include "support/builders.h"
#include "support/fake_call.h"
#include "support/fake_source.h"
#include "support/scripted_sink.h"
#include "support/sim_clock.h"

namespace sidecar::testing {

/// Wired as the daemon wires it (app/daemon.cc).
class RecordedLife {
 public:
  static constexpr int kCustomers = 40;
  static constexpr const char* kCustomerPrefix = "customer-";

  RecordedLife(const std::string& path, uint64_t seed, uint64_t bytes_max = 256 << 20) : dice_(seed) {
    fallbacks_.Add("flag", {.has_access = true});
    fallbacks_.Add("regions", {.has_access = true, .enum_values = std::vector<std::string>{"eu"}});
    recording::pb::Header header;
    header.set_written_by("a test");
    header.set_ttl_ms(Freshness().ttl.count());
    header.set_read_budget_ms(kBudget.count());
    header.set_fetch_timeout_ms(kTimeout.count());
    header.set_read_timeout_ms(kTimeout.count());
    header.set_report_timeout_ms(kTimeout.count());
    recording::Write(fallbacks_, &header);
    recorder_.WatchAvailability([this] { return source_.available(); });
    begun = recorder_.Begin({.path = path, .bytes_max = bytes_max, .queued_bytes_max = 256 << 20}, header);
    for (int i = 0; i < kCustomers; ++i) world_.push_back(NewList());
    intake_ = std::make_unique<FeedIntake>(
        cover_, door_, refresh_, recorder_.clock(),
        recording::RecordHottest(recorder_, [this](size_t most) { return HottestKeys(cache_, most); }));
    feed_ = std::make_unique<recording::RecordedFeed>(recorder_, *intake_);
    handlers_ = recording::RecordHandlers(
        recorder_, MakeHandlers({.cache = cache_,
                                 .resolver = resolver_,
                                 .cover = cover_,
                                 .reporter = reporter_,
                                 .fallbacks = fallbacks_,
                                 .clock = recorder_.clock(),
                                 .metrics = metrics_,
                                 .settings = {.read_timeout = kTimeout, .report_timeout = kTimeout}}));
  }

  /// Goes on until so many requests were made, and all of them are answered.
  void Live(int requests) {
    while (asked < requests) Act();
    source_.fail_at_once = reload_.fail_at_once = true;
    for (FakeSource* const source : {&source_, &reload_}) {
      while (!source->waiting.empty()) source->Fail();
    }
    while (!sink_.waiting.empty()) sink_.Acknowledge();
    constexpr Millis kLongEnough{60'000};
    time_.Advance(kLongEnough);
    for (const auto& call : calls_) unanswered += call->ends == 1 ? 0 : 1;
    recorder_.End(recorder_.clock().Now() + kLongEnough);
  }

  void Ask(Method method, const google::protobuf::Message& request) {
    ++asked;
    auto call = std::make_unique<FakeCall>(request.SerializeAsString());
    if (dice_.Chance(0.3)) call->call_deadline = time_.Now() + Millis(1) + dice_.Delay(500);
    if (dice_.Chance(0.02)) call->metadata["x-max-staleness-ms"] = "5000";
    handlers_[static_cast<size_t>(method)](*call);
    calls_.push_back(std::move(call));
  }

  /// The answer of the last call.
  const FakeCall& last() const { return *calls_.back(); }

  absl::Status begun;
  int asked = 0;
  int unanswered = 0;

 private:
  static constexpr Millis kBudget{250};
  static constexpr Millis kTimeout{2'000};
  static FreshnessSettings Freshness() { return {}; }

  std::string Customer() { return CustomerName(static_cast<int>(dice_.Pick(kCustomers + 3))); }
  EntityKey Key() { return EntityKey(Customer(), ""); }
  CustomerEntitlements& ListOf(const EntityKey& key) {
    static CustomerEntitlements nobody;
    const std::string number = key.customer_id.substr(std::string(kCustomerPrefix).size());
    const size_t index = std::stoul(number);
    return index < world_.size() ? world_[index] : nobody = {};
  }

  CustomerEntitlements NewList() {
    CustomerEntitlements list =
        Of({Boolean("flag"), Numeric("size", static_cast<double>(dice_.Pick(9))),
            Metered("calls", static_cast<double>(5 + dice_.Pick(20)), static_cast<double>(dice_.Pick(20))),
            Enum("regions", {"eu", "us"})},
           {Credit("coins", 100, static_cast<double>(dice_.Pick(120)))});
    FeatureEntitlement& calls = list.features[2];
    calls.period = {.reset = ResetPeriod::kHour, .anchor = time_.WallNow()};
    calls.period.start = time_.WallNow();
    calls.period.end = time_.WallNow() + Millis(3'600'000);
    calls.usage_updated_at = time_.WallNow();
    if (dice_.Chance(0.1)) list.features[0].valid_until = time_.WallNow() + dice_.Delay(60'000);
    list.updated_at = time_.WallNow();
    return list;
  }

  void Act() {
    const double what = dice_.Random();
    if (what < 0.55) {
      Request();
    } else if (what < 0.75) {
      AnswerFetches();
    } else if (what < 0.85) {
      Push();
    } else if (what < 0.98) {
      time_.Advance(dice_.Delay(200));
    } else {
      Weather();
    }
  }

  void Request() {
    const std::string customer = Customer();
    const uint64_t pick = dice_.Pick(12);
    if (pick < 4) {
      stigg::sidecar::v1::GetMeteredEntitlementRequest request;
      request.set_customer_id(customer);
      request.set_feature_id("calls");
      request.mutable_options()->set_requested_usage(static_cast<double>(dice_.Pick(6)));
      Ask(Method::kGetMeteredEntitlement, request);
    } else if (pick < 6) {
      stigg::sidecar::v1::GetBooleanEntitlementRequest request;
      request.set_customer_id(customer);
      request.set_feature_id(dice_.Chance(0.9) ? "flag" : "none");
      Ask(Method::kGetBooleanEntitlement, request);
    } else if (pick == 6) {
      stigg::sidecar::v1::GetEntitlementsRequest request;
      request.set_customer_id(customer);
      Ask(Method::kGetEntitlements, request);
    } else if (pick == 7) {
      stigg::sidecar::v1::GetEntitlementV2Request request;
      request.set_customer_id(customer);
      request.set_currency_id("coins");
      Ask(Method::kGetEntitlementV2, request);
    } else if (pick == 8) {
      stigg::sidecar::v1::ReloadEntitlementsRequest request;
      request.set_customer_id(customer);
      Ask(Method::kReloadEntitlements, request);
    } else if (pick == 9) {
      stigg::sidecar::v1::GetEnumEntitlementRequest request;
      request.set_customer_id(dice_.Chance(0.9) ? customer : "");
      request.set_feature_id("regions");
      Ask(Method::kGetEnumEntitlement, request);
    } else {
      stigg::sidecar::v1::ReportUsageRequest request;
      request.set_customer_id(customer);
      request.set_feature_id("calls");
      request.set_value(1);
      Ask(Method::kReportUsage, request);
    }
  }

  void AnswerFetches() {
    for (FakeSource* const source : {&source_, &reload_}) {
      if (source->waiting.empty()) continue;
      if (dice_.Chance(0.1)) {
        source->Fail();
      } else {
        source->Answer(ListOf(source->waiting.front().key));
      }
    }
    if (sink_.waiting.empty()) return;
    if (dice_.Chance(0.2)) return sink_.Fail(absl::StatusCode::kUnavailable);
    sink_.Acknowledge();
  }

  void Push() {
    const EntityKey key = Key();
    CustomerEntitlements& list = ListOf(key);
    if (list.empty()) return feed_->OnPush(ListPush{key, {}});
    if (dice_.Chance(0.3)) {
      list = NewList();
      return feed_->OnPush(ListPush{key, list});
    }
    FeatureEntitlement& calls = list.features[2];
    calls.current_usage = static_cast<double>(dice_.Pick(25));
    calls.usage_updated_at = time_.WallNow();
    feed_->OnPush(UsagePush{.key = key,
                            .id = "calls",
                            .current_usage = calls.current_usage,
                            .period_start = calls.period.start,
                            .period_end = calls.period.end,
                            .updated_at = calls.usage_updated_at});
  }

  void Weather() {
    const uint64_t pick = dice_.Pick(5);
    if (pick == 0) source_.is_available = !source_.is_available;
    if (pick == 1) source_.fail_at_once = !source_.fail_at_once;
    if (pick == 2) feed_->OnPush(CatalogPush{});
    if (pick < 3) return;
    live_ ? feed_->OnLost() : feed_->OnLive();
    live_ = !live_;
  }

  sim::Dice dice_;
  SimTime time_;
  recording::Recorder recorder_{time_};
  FallbackTable fallbacks_;
  Metrics metrics_;
  LiveCover cover_;
  Definitions definitions_{[](const FeatureDefinition& feature) { return EncodeDefinition(feature); },
                           [](const CurrencyDefinition& currency) { return EncodeDefinition(currency); }};
  EpochDomain epochs_;
  EntitlementCache cache_{{.limit_bytes = 64 << 20}, epochs_, definitions_};
  RecordDoor door_{cache_, recorder_.clock(), recorder_.random(), cover_, Freshness()};
  FakeSource source_;
  FakeSource reload_;
  ScriptedSink sink_;
  recording::RecordedTimers timers_{recorder_, time_};
  recording::RecordedSource recorded_source_{recorder_, source_, false};
  recording::RecordedSource recorded_reload_{recorder_, reload_, true};
  recording::RecordedSink recorded_sink_{recorder_, sink_};
  EntitlementResolver resolver_{cache_,
                                door_,
                                cover_,
                                recorded_source_,
                                recorded_reload_,
                                recorder_.clock(),
                                timers_,
                                metrics_,
                                {.freshness = Freshness(), .read_budget = kBudget, .fetch_timeout = kTimeout}};
  BackgroundRefresh refresh_{resolver_, recorder_.clock(), timers_, BackgroundRefreshSettings{}};
  std::unique_ptr<FeedIntake> intake_;
  std::unique_ptr<recording::RecordedFeed> feed_;
  UsageReporter reporter_{recorded_sink_, door_};
  Handlers handlers_;
  std::vector<CustomerEntitlements> world_;
  bool live_ = false;
  std::vector<std::unique_ptr<FakeCall>> calls_;
};

}  // namespace sidecar::testing
