#include "shadow/shadow.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/synchronization/mutex.h"
#include "stigg/sidecar/v1/sidecar.pb.h"
#include "support/fake_call.h"
#include "support/sim_clock.h"

namespace sidecar {
namespace {

namespace v1 = stigg::sidecar::v1;
using ::testing::ElementsAre;
using testing::FakeCall;
using ::testing::IsEmpty;
using testing::SimTime;
using ::testing::SizeIs;

constexpr absl::Duration kPatience = absl::Seconds(30);

/// What the other sidecar does.
struct Script {
  absl::Mutex mu;
  std::function<absl::StatusOr<std::string>(Method, std::string_view)> answer;
  bool hangs = false;      // under mu
  bool cancelled = false;  // under mu
  int asked = 0;           // under mu
};

class ScriptedTarget : public ShadowTarget {
 public:
  explicit ScriptedTarget(std::shared_ptr<Script> script) : script_(std::move(script)) {}

  absl::StatusOr<std::string> Ask(Method method, std::string_view request, Millis) override {
    absl::MutexLock lock(&script_->mu);
    ++script_->asked;
    Script& script = *script_;
    const auto free = [&script]() { return !script.hangs || script.cancelled; };
    script.mu.Await(absl::Condition(&free));
    if (script.cancelled) return absl::CancelledError("");
    return script.answer(method, request);
  }
  void Cancel() override {
    absl::MutexLock lock(&script_->mu);
    script_->cancelled = true;
  }

 private:
  const std::shared_ptr<Script> script_;
};

std::string Granted(bool access) {
  v1::GetBooleanEntitlementResponse response;
  response.set_has_access(access);
  return response.SerializeAsString();
}

class ShadowTest : public ::testing::Test {
 protected:
  ShadowTest() {
    script_->answer = [](Method, std::string_view) { return Granted(true); };
    for (size_t i = 0; i < handlers_.size(); ++i) {
      handlers_[i] = [](Call& call) { call.Finish(Granted(true), {}); };
    }
  }

  Handlers Start(ShadowSettings settings = {.sample_percent = 100}) {
    shadow_ = std::make_unique<Shadow>(std::make_unique<ScriptedTarget>(script_), time_, settings);
    return shadow_->Wrap(handlers_);
  }

  static void Ask(const Handlers& handlers, Method method = Method::kGetBooleanEntitlement) {
    v1::GetBooleanEntitlementRequest request;
    request.set_customer_id("c");
    request.set_feature_id("f");
    FakeCall call(request.SerializeAsString());
    handlers[static_cast<size_t>(method)](call);
    EXPECT_EQ(call.ends, 1);
    EXPECT_EQ(call.response, Granted(true));
  }

  template <typename Condition>
  ShadowReport ReportWhen(Condition condition) {
    const absl::Time until = absl::Now() + kPatience;
    for (;;) {
      ShadowReport report = shadow_->report();
      if (condition(report)) return report;
      if (absl::Now() > until) {
        ADD_FAILURE() << "it never came to that";
        return report;
      }
      std::this_thread::yield();
    }
  }

  int Asked() {
    absl::MutexLock lock(&script_->mu);
    return script_->asked;
  }

  SimTime time_;
  std::shared_ptr<Script> script_ = std::make_shared<Script>();
  Handlers handlers_;
  std::unique_ptr<Shadow> shadow_;
};

TEST_F(ShadowTest, CountsAnswersThatAreTheSame) {
  const Handlers handlers = Start();
  Ask(handlers);
  const ShadowReport report = ReportWhen([](const ShadowReport& r) { return r.same == 1; });
  EXPECT_EQ(report.different, 0);
  EXPECT_THAT(shadow_->samples(), IsEmpty());
}

TEST_F(ShadowTest, CountsAndKeepsThoseThatDiffer) {
  script_->answer = [](Method, std::string_view) { return Granted(false); };
  const Handlers handlers = Start();
  Ask(handlers);
  const ShadowReport report = ReportWhen([](const ShadowReport& r) { return r.different == 1; });
  EXPECT_EQ(report.same, 0);
  EXPECT_THAT(report.fields, ElementsAre(std::pair(std::pair(Method::kGetBooleanEntitlement, std::string("has_access")),
                                                   uint64_t{1})));
  const std::vector<ShadowSample> samples = shadow_->samples();
  ASSERT_THAT(samples, SizeIs(1));
  EXPECT_EQ(samples[0].subject, "c f");
  EXPECT_THAT(samples[0].differences, ElementsAre(FieldDifference{"has_access", "true", "false"}));
}

TEST_F(ShadowTest, KeepsTheLatestOnly) {
  script_->answer = [](Method, std::string_view) { return Granted(false); };
  const Handlers handlers = Start({.sample_percent = 100, .samples_max = 2});
  for (uint64_t i = 1; i <= 3; ++i) {
    Ask(handlers);
    ReportWhen([i](const ShadowReport& r) { return r.different == i; });
  }
  EXPECT_THAT(shadow_->samples(), SizeIs(2));
}

TEST_F(ShadowTest, WhatIsKeptIsBounded) {
  constexpr int kFields = 50;
  const std::string id(1'000, 'x');
  script_->answer = [&](Method, std::string_view) {
    v1::GetEntitlementsResponse response;
    for (int i = 0; i < kFields; ++i) {
      response.add_entitlements()->mutable_boolean()->mutable_feature()->set_id(id + std::to_string(i));
    }
    return response.SerializeAsString();
  };
  handlers_[static_cast<size_t>(Method::kGetEntitlements)] = [](Call& call) { call.Finish("", {}); };
  const Handlers handlers = Start({.sample_percent = 100, .sample_fields_max = 3});
  v1::GetEntitlementsRequest request;
  request.set_customer_id(id);
  FakeCall call(request.SerializeAsString());
  handlers[static_cast<size_t>(Method::kGetEntitlements)](call);
  const ShadowReport report = ReportWhen([](const ShadowReport& r) { return r.different == 1; });
  EXPECT_THAT(report.fields, SizeIs(1));
  const std::vector<ShadowSample> samples = shadow_->samples();
  ASSERT_THAT(samples, SizeIs(1));
  EXPECT_THAT(samples[0].differences, SizeIs(3));
  EXPECT_EQ(samples[0].left_out, kFields - 3);
  constexpr size_t kTextMax = 203;  // with the dots
  EXPECT_LE(samples[0].subject.size(), kTextMax);
  for (const FieldDifference& each : samples[0].differences) {
    EXPECT_LE(each.path.size(), kTextMax);
    EXPECT_LE(each.theirs.size(), kTextMax);
  }
}

TEST_F(ShadowTest, ACopyIsNotCopiedOn) {
  const Handlers handlers = Start();
  FakeCall copy("");
  copy.metadata = {{"x-shadow-copy", "1"}};
  handlers[static_cast<size_t>(Method::kGetBooleanEntitlement)](copy);
  EXPECT_EQ(copy.ends, 1);
  Ask(handlers);
  ReportWhen([](const ShadowReport& r) { return r.same == 1; });
  EXPECT_EQ(Asked(), 1);
}

TEST_F(ShadowTest, StatusesAreCompared) {
  script_->answer = [](Method, std::string_view) { return absl::InvalidArgumentError("no"); };
  const Handlers handlers = Start();
  Ask(handlers);
  const ShadowReport report = ReportWhen([](const ShadowReport& r) { return r.different == 1; });
  EXPECT_EQ(report.fields.begin()->first.second, "(status)");
}

TEST_F(ShadowTest, RefusalsOfBothAreTheSame) {
  handlers_[static_cast<size_t>(Method::kGetBooleanEntitlement)] = [](Call& call) {
    call.Fail(absl::InvalidArgumentError("ours"), "");
  };
  script_->answer = [](Method, std::string_view) { return absl::InvalidArgumentError("theirs"); };
  const Handlers handlers = Start();
  FakeCall call("");
  handlers[static_cast<size_t>(Method::kGetBooleanEntitlement)](call);
  EXPECT_EQ(call.status, absl::InvalidArgumentError("ours"));
  ReportWhen([](const ShadowReport& r) { return r.same == 1; });
}

TEST_F(ShadowTest, FieldsMayBeLeftOut) {
  script_->answer = [](Method, std::string_view) {
    v1::GetBooleanEntitlementResponse response;
    response.set_has_access(false);
    response.mutable_entitlement()->mutable_feature()->set_id("f");
    return response.SerializeAsString();
  };
  const Handlers handlers =
      Start({.sample_percent = 100, .ignored = {"GetBooleanEntitlement.has_access", "entitlement"}});
  Ask(handlers);
  ReportWhen([](const ShadowReport& r) { return r.same == 1; });
  Ask(handlers, Method::kGetNumericEntitlement);  // of which has_access is not left out
  ReportWhen([](const ShadowReport& r) { return r.different == 1; });
}

TEST_F(ShadowTest, OnlyReadsAreCopied) {
  const Handlers handlers = Start();
  for (const Method method :
       {Method::kReportUsage, Method::kReportUsageBulk, Method::kReportEvents, Method::kReloadEntitlements}) {
    Ask(handlers, method);
  }
  EXPECT_EQ(Asked(), 0);
  Ask(handlers);
  ReportWhen([](const ShadowReport& r) { return r.same == 1; });
  EXPECT_EQ(Asked(), 1);
}

TEST_F(ShadowTest, ASampleIsAsLargeAsItIsSaid) {
  const Handlers handlers = Start({.sample_percent = 10, .queued_max = 1'000'000, .queued_bytes_max = 1 << 30});
  constexpr int kCalls = 20'000;
  for (int i = 0; i < kCalls; ++i) Ask(handlers);
  const ShadowReport report =
      ReportWhen([&](const ShadowReport& r) { return r.same > 1'500 && r.same == static_cast<uint64_t>(Asked()); });
  EXPECT_NEAR(static_cast<double>(report.same + report.skipped), kCalls * 0.1, kCalls * 0.02);
}

TEST_F(ShadowTest, ATargetThatHangsHoldsNobodyUp) {
  {
    absl::MutexLock lock(&script_->mu);
    script_->hangs = true;
  }
  const Handlers handlers = Start({.sample_percent = 100, .queued_max = 4});
  constexpr int kCalls = 100;
  for (int i = 0; i < kCalls; ++i) Ask(handlers);  // each of them is answered
  EXPECT_GE(shadow_->report().skipped, kCalls - 4 - 1);
  shadow_.reset();  // does not wait for it either
}

TEST_F(ShadowTest, WhatHasWaitedTooLongIsNotAsked) {
  {
    absl::MutexLock lock(&script_->mu);
    script_->hangs = true;
  }
  const Handlers handlers = Start();
  Ask(handlers);
  while (Asked() == 0) std::this_thread::yield();
  Ask(handlers);
  time_.Advance(Millis(2'000));
  {
    absl::MutexLock lock(&script_->mu);
    script_->hangs = false;
  }
  ReportWhen([](const ShadowReport& r) { return r.same == 1 && r.skipped == 1; });
}

TEST_F(ShadowTest, NothingIsSampledWhileTheTargetFails) {
  script_->answer = [](Method, std::string_view) { return absl::UnavailableError("down"); };
  const Handlers handlers = Start(
      {.sample_percent = 100, .failures_to_pause = 3, .pause_min = Millis(3'600'000), .pause_max = Millis(3'600'000)});
  for (uint64_t i = 1; i <= 3; ++i) {
    Ask(handlers);
    ReportWhen([i](const ShadowReport& r) { return r.failed == i; });
  }
  const ShadowReport report = ReportWhen([](const ShadowReport& r) { return r.paused; });
  EXPECT_EQ(report.last_failure, "UNAVAILABLE: down");
  EXPECT_EQ(report.different, 0);
  for (int i = 0; i < 100; ++i) Ask(handlers);
  EXPECT_EQ(Asked(), 3);
}

TEST_F(ShadowTest, PausesDoubleUpToALimitAndBeginAgainAfterAnAnswer) {
  std::atomic<bool> down{true};
  script_->answer = [&](Method, std::string_view) -> absl::StatusOr<std::string> {
    if (down) return absl::UnavailableError("down");
    return Granted(true);
  };
  const Handlers handlers =
      Start({.sample_percent = 100, .failures_to_pause = 2, .pause_min = Millis(1), .pause_max = Millis(4)});
  const auto fail = [&](uint64_t number) {
    ReportWhen([](const ShadowReport& r) { return !r.paused; });
    Ask(handlers);
    return ReportWhen([number](const ShadowReport& r) { return r.failed == number; });
  };
  EXPECT_FALSE(fail(1).paused);
  EXPECT_EQ(fail(2).pause, Millis(1));
  EXPECT_EQ(fail(3).pause, Millis(2));
  EXPECT_EQ(fail(4).pause, Millis(4));
  EXPECT_EQ(fail(5).pause, Millis(4));
  ReportWhen([](const ShadowReport& r) { return !r.paused; });
  down = false;
  Ask(handlers);
  ReportWhen([](const ShadowReport& r) { return r.same == 1; });
  down = true;
  EXPECT_FALSE(fail(6).paused);
  EXPECT_EQ(fail(7).pause, Millis(1));
}

TEST_F(ShadowTest, ATargetThatIsBackIsComparedAgain) {
  std::atomic<bool> down{true};
  script_->answer = [&](Method, std::string_view) -> absl::StatusOr<std::string> {
    if (down) return absl::UnavailableError("down");
    return Granted(true);
  };
  const Handlers handlers =
      Start({.sample_percent = 100, .failures_to_pause = 1, .pause_min = Millis(1), .pause_max = Millis(1)});
  Ask(handlers);
  ReportWhen([](const ShadowReport& r) { return r.failed == 1; });
  down = false;
  ReportWhen([&](const ShadowReport& r) {
    Ask(handlers);
    return r.same > 0;
  });
}

TEST(ShadowFieldNamesTest, AreThoseOfTheContract) {
  const std::vector<std::string> names = ShadowFieldNames();
  EXPECT_THAT(names, ::testing::IsSupersetOf({"has_access", "GetMeteredEntitlement.entitlement.current_usage",
                                              "(status)", "GetEntitlements.(status)", "entitlements", "(unknown)",
                                              "GetEnumEntitlement.entitlement.(unknown)"}));
}

}  // namespace
}  // namespace sidecar
