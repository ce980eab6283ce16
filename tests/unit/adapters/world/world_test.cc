#include "adapters/world/world.h"

#include <gtest/gtest.h>

#include "adapters/json/json.h"
#include "support/sim_clock.h"
#include "support/status_matchers.h"

namespace sidecar {
namespace {

using testing::FailsWith;
using testing::IsOk;

using testing::kInvalid;

class WorldTest : public ::testing::Test {
 protected:
  const FeatureEntitlement Feature(const std::string& id, EntityKeyView key = {"customer-demo-01", ""}) {
    for (const FeatureEntitlement& feature : world_.Entitlements(key).features) {
      if (feature.feature.id == id) return feature;
    }
    ADD_FAILURE() << "no feature " << id;
    return {};
  }

  UsageReceipt Report(UsageReport report) {
    auto outcome = world_.ReportUsage(report);
    if (const auto* error = std::get_if<WorldError>(&outcome)) ADD_FAILURE() << error->message;
    return std::get<UsageReceipt>(outcome);
  }

  std::string ErrorCode(UsageReport report) {
    auto outcome = world_.ReportUsage(report);
    return std::holds_alternative<WorldError>(outcome) ? std::get<WorldError>(outcome).code : "";
  }

  static UsageReport Usage(double value, UsageUpdate update = UsageUpdate::kDelta, std::string key = "") {
    return {.key = {"customer-demo-01", ""},
            .feature_id = "feature-01-templates",
            .value = value,
            .update = update,
            .idempotency_key = std::move(key)};
  }

  testing::SimTime time_;
  World world_{*ParseWorld(BuiltInWorld(), "built-in"), time_};
};

TEST_F(WorldTest, HasTheBuiltInCustomer) {
  const FeatureEntitlement templates = Feature("feature-01-templates");
  EXPECT_EQ(templates.usage_limit, 6);
  EXPECT_EQ(templates.current_usage, 3);
  EXPECT_EQ(templates.feature.meter, MeterType::kFluctuating);
  EXPECT_EQ(templates.period.reset, ResetPeriod::kNone);
  const FeatureEntitlement campaigns = Feature("feature-02-campaigns");
  EXPECT_EQ(campaigns.usage_limit, 32);
  EXPECT_EQ(FormatDate(*campaigns.period.start), "2026-11-01T00:00:00.000Z");
  EXPECT_EQ(FormatDate(*campaigns.period.end), "2026-12-01T00:00:00.000Z");
  EXPECT_EQ(Feature("feature-06-max-file-size").usage_limit, 100);
  EXPECT_EQ(Feature("feature-08-regions").enum_values, (std::vector<std::string>{"eu", "us"}));
  EXPECT_EQ(Feature("feature-01-templates", {"customer-demo-01", "site-01"}).current_usage, 3);
  const CustomerEntitlements all = world_.Entitlements({"customer-demo-01", ""});
  ASSERT_EQ(all.credits.size(), 1U);
  EXPECT_EQ(all.credits[0].usage_limit, 500);
  EXPECT_EQ(all.credits[0].current_usage, 120);
}

TEST_F(WorldTest, SaysWhyAListIsEmpty) {
  World world(*ParseWorld(R"({"customers":{"idle":{},"gone":{"archived":true}}})", "t"), time_);
  EXPECT_EQ(world.Entitlements({"nobody", ""}).denied_reason, DeniedReason::kCustomerNotFound);
  EXPECT_EQ(world.Entitlements({"idle", ""}).denied_reason, DeniedReason::kNoActiveSubscription);
  EXPECT_EQ(world.Entitlements({"gone", ""}).denied_reason, DeniedReason::kCustomerIsArchived);
}

TEST_F(WorldTest, CountsDeltasAndSets) {
  EXPECT_EQ(Report(Usage(2)).current_usage, 5);
  EXPECT_EQ(Report(Usage(-1)).current_usage, 4);
  EXPECT_EQ(Report(Usage(1, UsageUpdate::kSet)).current_usage, 1);
  EXPECT_EQ(Feature("feature-01-templates").current_usage, 1);
}

TEST_F(WorldTest, ARepeatedKeyIsNotCountedAgain) {
  const UsageReceipt first = Report(Usage(2, UsageUpdate::kDelta, "k"));
  const UsageReceipt second = Report(Usage(2, UsageUpdate::kDelta, "k"));
  EXPECT_EQ(second.measurement_id, first.measurement_id);
  EXPECT_EQ(Feature("feature-01-templates").current_usage, 5);
}

TEST_F(WorldTest, CustomersAndResourcesAreCountedSeparately) {
  UsageReport report = Usage(2);
  report.key.resource_id = "site-01";
  Report(report);
  EXPECT_EQ(Feature("feature-01-templates").current_usage, 3);
  EXPECT_EQ(Feature("feature-01-templates", {"customer-demo-01", "site-01"}).current_usage, 5);
}

TEST_F(WorldTest, RefusesAsTheCloudDoes) {
  UsageReport report = Usage(1);
  report.key.customer_id = "nobody";
  EXPECT_EQ(ErrorCode(report), "CustomerNotFound");
  report = Usage(1);
  report.key.resource_id = "nowhere";
  EXPECT_EQ(ErrorCode(report), "CustomerResourceNotFound");
  report = Usage(1);
  report.feature_id = "nothing";
  EXPECT_EQ(ErrorCode(report), "FeatureNotFound");
  report.feature_id = "feature-04-analytics";
  EXPECT_EQ(ErrorCode(report), "MeteringNotAvailableForFeatureType");
  report.feature_id = "feature-07-active-users";
  EXPECT_EQ(ErrorCode(report), "CannotReportUsageForEntitlementWithMeterError");
}

TEST_F(WorldTest, EventsCountDistinctValues) {
  const auto login = [](std::string key, std::string user) {
    return UsageEvent{.event_name = "user_login",
                      .key = {"customer-demo-01", ""},
                      .idempotency_key = std::move(key),
                      .dimensions = {{"user_id", std::move(user)}}};
  };
  world_.ReportEvents({login("1", "ann"), login("2", "bob"), login("3", "ann"), login("1", "cyd")});
  EXPECT_EQ(Feature("feature-07-active-users").current_usage, 3) << "one from the file, ann and bob";
  world_.ReportEvents({{.event_name = "user_login", .key = {"customer-demo-01", ""}, .idempotency_key = "4"},
                       {.event_name = "other", .key = {"customer-demo-01", ""}, .idempotency_key = "5"}});
  EXPECT_EQ(Feature("feature-07-active-users").current_usage, 3);
}

TEST_F(WorldTest, UsageStartsAnewWithThePeriod) {
  UsageReport report = Usage(7);
  report.feature_id = "feature-02-campaigns";
  EXPECT_EQ(Report(report).current_usage, 7);
  time_.SetWall(*ParseDate("2026-12-01T00:00:00.001Z"));
  EXPECT_EQ(Feature("feature-02-campaigns").current_usage, 0);
  EXPECT_EQ(FormatDate(*Feature("feature-02-campaigns").period.end), "2027-01-01T00:00:00.000Z");
}

TEST_F(WorldTest, ReplacedDataKeepsReportedUsageUnlessItsFigureChanged) {
  Report(Usage(2));
  world_.Replace(*ParseWorld(BuiltInWorld(), "t"));
  EXPECT_EQ(Feature("feature-01-templates").current_usage, 5);
  std::string edited(BuiltInWorld());
  for (size_t at; (at = edited.find("\"feature-01-templates\": 3")) != std::string::npos;) {
    edited.replace(at, 25, "\"feature-01-templates\": 1");
  }
  world_.Replace(*ParseWorld(edited, "t"));
  EXPECT_EQ(Feature("feature-01-templates").current_usage, 1);
}

TEST_F(WorldTest, CreditsArePaidByTheFeaturesThatUseThem) {
  World world(*ParseWorld(R"({
    "features": {"drafts": {"type": "metered"}},
    "credits": {"tokens": {}},
    "plans": {"p": {"drafts": {"unlimited": true, "creditRate": {"credit": "tokens", "amount": 2.5}}, "tokens": {"limit": 10}}},
    "customers": {"c": {"plan": "p"}}})",
                          "t"),
              time_);
  auto outcome =
      world.ReportUsage({.key = {"c", ""}, .feature_id = "drafts", .value = 2, .update = UsageUpdate::kDelta});
  const UsageReceipt& receipt = std::get<UsageReceipt>(outcome);
  ASSERT_TRUE(receipt.credit.has_value());
  EXPECT_EQ(receipt.credit->current_usage, 5);
  EXPECT_EQ(world.Entitlements({"c", ""}).credits[0].current_usage, 5);
}

TEST(ParseWorldTest, TheBuiltInWorldIsValid) { EXPECT_THAT(ParseWorld(BuiltInWorld(), "built-in"), IsOk()); }

TEST(ParseWorldTest, NamesFileLineAndFix) {
  const char* const text = R"({
  "features": {
    "seats": {"type": "metred"},
    "calls": {"type": "metered", "meter": "sometimes"},
    "sso": {"type": "boolean"}
  },
  "plans": {
    "pro": {
      "sso": {"limit": 5},
      "nothing": {},
      "calls": {"limit": "ten", "reset": "fortnight"}
    }
  },
  "customers": {
    "acme": {
      "plan": "gold",
      "usage": {"calls": "many", "nope": 1},
      "colour": "red"
    }
  }
})";
  const absl::StatusOr<WorldData> data = ParseWorld(text, "w.json");
  for (const char* expected : {
           "w.json:3: features.seats.type: type 'metred' is not known; expected boolean, numeric, metered or enum",
           "w.json:4: features.calls.meter: 'sometimes' is not known; expected fluctuating or incremental",
           "w.json:9: plans.pro.sso.limit: only metered features and credits have a limit",
           "w.json:10: plans.pro.nothing: is neither a feature nor a credit; known are calls, seats, sso",
           "w.json:11: plans.pro.calls.limit: expected a number, got a string",
           "w.json:11: plans.pro.calls.reset: 'fortnight' is not known; expected hour, day, week, month or year",
           "w.json:17: customers.acme.usage.calls: expected a number, got a string",
           "w.json:17: customers.acme.usage.nope: is neither a feature nor a credit",
           "w.json:18: customers.acme.colour: is not known here; expected plan, archived, overrides, usage, resources",
           "w.json:16: customers.acme.plan: 'gold' is not a plan; known are pro",
       }) {
    EXPECT_THAT(data, FailsWith(kInvalid, expected));
  }
}

TEST(ParseWorldTest, WhatIsThereTwiceIsRefused) {
  EXPECT_THAT(
      ParseWorld("{\"features\": {\"f\": {\"type\": \"boolean\"},\n \"f\": {\"type\": \"enum\"}},\n \"customers\": "
                 "{\"c\": {\"usage\": {},\n \"usage\": {}}}}",
                 "w.json"),
      FailsWith(kInvalid,
                "w.json:2: features.f: is there already; keep one\n"
                "w.json:4: customers.c.usage: is there already; keep one"));
}

TEST(ParseWorldTest, SyntaxErrorsNameThePlace) {
  EXPECT_THAT(ParseWorld("{\n  \"features\": {,}\n}", "w.json"),
              FailsWith(kInvalid, "w.json: not valid JSON at line 2"));
}

class ListeningWorldTest : public WorldTest {
 protected:
  ListeningWorldTest() {
    world_.Listen([this](const Push& push) { pushes_.push_back(push); });
  }

  std::vector<UsagePush> UsagePushes() const {
    std::vector<UsagePush> found;
    for (const Push& push : pushes_) {
      if (const auto* usage = std::get_if<UsagePush>(&push)) found.push_back(*usage);
    }
    return found;
  }
  std::vector<std::string> ChangedLists() const {
    std::vector<std::string> found;
    for (const Push& push : pushes_) {
      if (const auto* list = std::get_if<ListPush>(&push)) {
        found.push_back(list->key.customer_id + "/" + list->key.resource_id);
      }
    }
    return found;
  }

  std::vector<Push> pushes_;
};

TEST_F(ListeningWorldTest, HearsOfReports) {
  Report(Usage(2));
  ASSERT_EQ(pushes_.size(), 1U);
  const UsagePush push = UsagePushes().at(0);
  EXPECT_EQ(push.key, EntityKey("customer-demo-01", ""));
  EXPECT_EQ(push.id, "feature-01-templates");
  EXPECT_FALSE(push.credit);
  EXPECT_EQ(push.current_usage, 5);
  EXPECT_EQ(push.updated_at, time_.WallNow());
}

TEST_F(ListeningWorldTest, RepeatedAndRefusedReportsMoveNothing) {
  Report(Usage(2, UsageUpdate::kDelta, "key"));
  Report(Usage(2, UsageUpdate::kDelta, "key"));
  ErrorCode({.key = {"nobody", ""}, .feature_id = "feature-01-templates", .value = 1});
  EXPECT_EQ(pushes_.size(), 1U);
}

TEST_F(ListeningWorldTest, AListenerMayAskTheWorld) {
  std::optional<double> seen;
  world_.Listen([&](const Push&) { seen = Feature("feature-01-templates").current_usage; });
  Report(Usage(2));
  EXPECT_EQ(seen, 5);
}

TEST_F(ListeningWorldTest, HearsOfCreditsThatPaid) {
  World world(*ParseWorld(R"({"features":{"f":{"type":"metered"}},"credits":{"k":{}},
      "plans":{"p":{"f":{"creditRate":{"credit":"k","amount":2}},"k":{"limit":9}}},
      "customers":{"c":{"plan":"p"}}})",
                          "t"),
              time_);
  world.Listen([this](const Push& push) { pushes_.push_back(push); });
  world.ReportUsage({.key = {"c", ""}, .feature_id = "f", .value = 3});
  const std::vector<UsagePush> moved = UsagePushes();
  ASSERT_EQ(moved.size(), 2U);
  EXPECT_EQ(moved[1].id, "k");
  EXPECT_TRUE(moved[1].credit);
  EXPECT_EQ(moved[1].current_usage, 6);
}

TEST_F(ListeningWorldTest, HearsOncePerFigureOfEvents) {
  const auto login = [](std::string key, std::string user) {
    return UsageEvent{.event_name = "user_login",
                      .key = {"customer-demo-01", ""},
                      .idempotency_key = std::move(key),
                      .dimensions = {{"user_id", std::move(user)}}};
  };
  world_.ReportEvents({login("1", "a"), login("2", "b"), login("3", "b")});
  ASSERT_EQ(pushes_.size(), 1U);
  EXPECT_EQ(UsagePushes().at(0).current_usage, 3);
  EXPECT_TRUE(UsagePushes().at(0).period_end.has_value());
  world_.ReportEvents({login("2", "b"), login("4", "a")});
  EXPECT_EQ(pushes_.size(), 1U) << "nothing was counted";
}

TEST_F(ListeningWorldTest, NewDataIsToldToThoseWhomItChanges) {
  const auto data = [](std::string_view plan, std::string_view customers) {
    return *ParseWorld(R"({"features":{"f":{"type":"metered"}},"plans":{"p":{"f":{"limit":)" + std::string(plan) +
                           R"(}},"q":{"f":{"limit":1}}},"customers":{)" + std::string(customers) + "}}",
                       "t");
  };
  World world(data("5", R"("a":{"plan":"p"},"b":{"plan":"q","resources":{"r":{"plan":"p"}}},"gone":{"plan":"q"})"),
              time_);
  world.Listen([this](const Push& push) { pushes_.push_back(push); });

  time_.Advance(Millis(1000));
  world.Replace(data("5", R"("a":{"plan":"p"},"b":{"plan":"q","resources":{"r":{"plan":"p"}}},"gone":{"plan":"q"})"));
  EXPECT_TRUE(pushes_.empty()) << "the same data again";

  world.Replace(data("6", R"("a":{"plan":"p"},"b":{"plan":"q","resources":{"r":{"plan":"p"}}},"new":{"plan":"q"})"));
  EXPECT_EQ(ChangedLists(), (std::vector<std::string>{"a/", "b/r", "gone/", "new/"}));
  const auto& changed = std::get<ListPush>(pushes_[0]).entitlements;
  EXPECT_EQ(changed.features.at(0).usage_limit, 6);
  EXPECT_EQ(changed.updated_at, time_.WallNow());
  EXPECT_EQ(std::get<ListPush>(pushes_[2]).entitlements.denied_reason, DeniedReason::kCustomerNotFound);
}

TEST_F(ListeningWorldTest, ANewFigureInTheDataIsToldWithItsDate) {
  const auto data = [](int usage) {
    return *ParseWorld(R"({"features":{"f":{"type":"metered"}},"plans":{"p":{"f":{"limit":9}}},
        "customers":{"a":{"plan":"p","usage":{"f":)" +
                           std::to_string(usage) + "}}}}",
                       "t");
  };
  World world(data(1), time_);
  world.Listen([this](const Push& push) { pushes_.push_back(push); });
  world.ReportUsage({.key = {"a", ""}, .feature_id = "f", .value = 1});
  pushes_.clear();
  time_.Advance(Millis(1000));
  world.Replace(data(7));
  ASSERT_EQ(ChangedLists(), (std::vector<std::string>{"a/"}));
  const auto& feature = std::get<ListPush>(pushes_[0]).entitlements.features.at(0);
  EXPECT_EQ(feature.current_usage, 7);
  EXPECT_EQ(feature.usage_updated_at, time_.WallNow()) << "older usage must not outlive it";
}

}  // namespace
}  // namespace sidecar
