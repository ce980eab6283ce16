#include "recording/redaction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/validate.h"
#include "stigg/sidecar/v1/sidecar.pb.h"
#include "support/temporary_directory.h"
#include "unit/recording/recorded_life.h"

namespace sidecar::recording {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::string_view kSecret = "jane@example.org";

TEST(RedactionTest, TheSameIdIsTheSamePseudonymInOneRecordingOnly) {
  const Redaction one;
  const Redaction other;
  EXPECT_THAT(one.Id("a"), StartsWith("id-"));
  EXPECT_EQ(one.Id("a"), one.Id("a"));
  EXPECT_NE(one.Id("a"), one.Id("b"));
  EXPECT_NE(one.Id("a"), other.Id("a"));
  EXPECT_EQ(one.Id(""), "");
}

TEST(RedactionTest, WhatNoRequestMayNameStaysSo) {
  const Redaction redaction;
  for (const std::string& id : {std::string(kIdBytesMax + 1, 'x'), std::string("a\nb")}) {
    EXPECT_FALSE(CheckId("id", id).ok());
    EXPECT_FALSE(CheckId("id", redaction.Id(id)).ok());
  }
  EXPECT_TRUE(CheckId("id", redaction.Id(std::string(kIdBytesMax, 'x'))).ok());
}

/// Every string of every method's request, and whether it is catalogue (which is kept).
TEST(RedactionTest, NoRequestTellsWho) {
  const Redaction redaction;
  const auto* const service = stigg::sidecar::v1::GetEntitlementsRequest::descriptor()->file()->service(0);
  for (size_t i = 0; i < kMethodCount; ++i) {
    const auto* const type = service->method(static_cast<int>(i))->input_type();
    ASSERT_EQ(service->method(static_cast<int>(i))->name(), kMethodNames[i]);
    const std::unique_ptr<google::protobuf::Message> message(
        google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
    for (const char* const name : {"customer_id", "resource_id"}) {
      if (const auto* const field = type->FindFieldByName(name); field != nullptr) {
        message->GetReflection()->SetString(message.get(), field, std::string(kSecret));
      }
    }
    const std::optional<std::string> redacted = redaction.Request(static_cast<Method>(i), message->SerializeAsString());
    ASSERT_TRUE(redacted.has_value());
    EXPECT_THAT(*redacted, Not(HasSubstr(std::string(kSecret)))) << kMethodNames[i];
  }
}

TEST(RedactionTest, EventsTellNothingOfTheirSubject) {
  const Redaction redaction;
  stigg::sidecar::v1::ReportEventsRequest request;
  stigg::sidecar::v1::Event* const event = request.add_events();
  event->set_event_name("login");
  event->set_customer_id(std::string(kSecret));
  event->set_resource_id(std::string(kSecret));
  event->set_idempotency_key(std::string(kSecret));
  (*event->mutable_dimensions())["user"].set_string_value(std::string(kSecret));
  (*event->mutable_dimensions())["count"].set_number_value(3);
  const std::optional<std::string> redacted = redaction.Request(Method::kReportEvents, request.SerializeAsString());
  ASSERT_TRUE(redacted.has_value());
  EXPECT_THAT(*redacted, Not(HasSubstr(std::string(kSecret))));
  stigg::sidecar::v1::ReportEventsRequest read;
  ASSERT_TRUE(read.ParseFromString(*redacted));
  EXPECT_EQ(read.events(0).event_name(), "login");
  EXPECT_EQ(read.events(0).dimensions().at("count").number_value(), 3);
}

TEST(RedactionTest, AnswersToReportsTellNothing) {
  const Redaction redaction;
  stigg::sidecar::v1::ReportUsageResponse response;
  response.set_customer_id(std::string(kSecret));
  response.set_measurement_id(std::string(kSecret));
  response.set_current_usage(7);
  const std::optional<std::string> redacted = redaction.Answer(Method::kReportUsage, response.SerializeAsString());
  ASSERT_TRUE(redacted.has_value());
  EXPECT_THAT(*redacted, Not(HasSubstr(std::string(kSecret))));
}

TEST(RedactionTest, WhatCannotBeReadIsNotRecorded) {
  EXPECT_EQ(Redaction().Request(Method::kGetEntitlement, "\xff\xff"), std::nullopt);
}

/// Of all that is written: requests, lists, pushes, receipts.
TEST(RedactionTest, ARecordingNamesNoCustomer) {
  const testing::TemporaryDirectory directory;
  const std::string path = directory.File("recording");
  testing::RecordedLife life(path, 9);
  life.Live(2'000);
  const std::string bytes = testing::Contents(path);
  EXPECT_GT(bytes.size(), 100'000);
  EXPECT_THAT(bytes, Not(HasSubstr(testing::RecordedLife::kCustomerPrefix)));
}

}  // namespace
}  // namespace sidecar::recording
