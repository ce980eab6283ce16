#include "adapters/spool/spool_codec.h"

#include <gtest/gtest.h>

#include "support/status_matchers.h"

namespace sidecar {
namespace {

using testing::FailsWith;

TEST(SpoolCodecTest, UsageComesBackAsItWas) {
  const UsageReport report{.key = {"c \"ü\"", "r"},
                           .feature_id = "seats",
                           .value = -0.1,
                           .update = UsageUpdate::kSet,
                           .dimensions = {{"s", "x\ny"}, {"n", 1e300}, {"whole", 3.0}, {"b", true}},
                           .created_at = WallTimeFromEpochMs(1'795'255'200'123),
                           .idempotency_key = "k"};
  const auto decoded = DecodeSpoolItem(SpoolKind::kUsage, EncodeSpoolItem(report));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  const auto& back = std::get<UsageReport>(*decoded);
  EXPECT_EQ(back.key, report.key);
  EXPECT_EQ(back.feature_id, report.feature_id);
  EXPECT_EQ(back.value, report.value);
  EXPECT_EQ(back.update, report.update);
  EXPECT_EQ(back.dimensions, report.dimensions);
  EXPECT_EQ(back.created_at, report.created_at);
  EXPECT_EQ(back.idempotency_key, report.idempotency_key);
}

TEST(SpoolCodecTest, TheLeastUsageComesBackAsItWas) {
  const auto decoded = DecodeSpoolItem(
      SpoolKind::kUsage,
      EncodeSpoolItem(UsageReport{.key = {"c", ""}, .feature_id = "f", .value = 0, .idempotency_key = "k"}));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  const auto& back = std::get<UsageReport>(*decoded);
  EXPECT_EQ(back.update, UsageUpdate::kUnspecified);
  EXPECT_EQ(back.key.resource_id, "");
  EXPECT_FALSE(back.created_at.has_value());
  EXPECT_TRUE(back.dimensions.empty());
}

TEST(SpoolCodecTest, AnEventComesBackAsItWas) {
  const UsageEvent event{.event_name = "login",
                         .key = {"c", "r"},
                         .idempotency_key = "k",
                         .dimensions = {{"user", "anna"}},
                         .timestamp = WallTimeFromEpochMs(-1)};
  const auto decoded = DecodeSpoolItem(SpoolKind::kEvent, EncodeSpoolItem(event));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  const auto& back = std::get<UsageEvent>(*decoded);
  EXPECT_EQ(back.event_name, event.event_name);
  EXPECT_EQ(back.key, event.key);
  EXPECT_EQ(back.idempotency_key, event.idempotency_key);
  EXPECT_EQ(back.dimensions, event.dimensions);
  EXPECT_EQ(back.timestamp, event.timestamp);
}

TEST(SpoolCodecTest, ARecordWithoutItsKeyIsNotUsed) {
  EXPECT_THAT(DecodeSpoolItem(SpoolKind::kUsage, R"({"customerId":"c","featureId":"f","value":1})"),
              FailsWith(absl::StatusCode::kInvalidArgument, "idempotencyKey"));
  EXPECT_THAT(DecodeSpoolItem(SpoolKind::kUsage, R"({"customerId":"c","featureId":"f","idempotencyKey":"k"})"),
              FailsWith(absl::StatusCode::kInvalidArgument, "value"));
  EXPECT_THAT(DecodeSpoolItem(SpoolKind::kEvent, R"({"eventName":"e","idempotencyKey":"k"})"),
              FailsWith(absl::StatusCode::kInvalidArgument, "customerId"));
  EXPECT_FALSE(DecodeSpoolItem(SpoolKind::kEvent, "{").ok());
  EXPECT_FALSE(DecodeSpoolItem(SpoolKind::kEvent, "").ok());
}

}  // namespace
}  // namespace sidecar
