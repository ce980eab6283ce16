#include "adapters/upstream/failure_mapping.h"

#include <gtest/gtest.h>

#include "support/fixtures.h"

namespace sidecar {
namespace {

using absl::StatusCode;
using testing::Fixture;

struct Row {
  const char* name;
  StatusCode code;
};

// The table of design section 9, row by row.
TEST(CodeForUpstreamCodeTest, FollowsTheTable) {
  const Row rows[] = {
      {"Unauthenticated", StatusCode::kUnauthenticated},
      {"AccessDeniedError", StatusCode::kPermissionDenied},
      {"IdentityForbidden", StatusCode::kPermissionDenied},
      {"CustomerNotFound", StatusCode::kNotFound},
      {"CustomerResourceNotFound", StatusCode::kNotFound},
      {"FeatureNotFound", StatusCode::kNotFound},
      {"BadUserInput", StatusCode::kInvalidArgument},
      {"InvalidArgumentError", StatusCode::kInvalidArgument},
      {"EntitlementUsageOutOfRangeError", StatusCode::kInvalidArgument},
      {"UsageMeasurementDiffOutOfRangeError", StatusCode::kInvalidArgument},
      {"RateLimitExceeded", StatusCode::kResourceExhausted},
      {"EntitlementLimitExceededError", StatusCode::kFailedPrecondition},
      {"NoActiveSubscriptionForCustomer", StatusCode::kFailedPrecondition},
      {"OperationTimeout", StatusCode::kDeadlineExceeded},
      {"UnexpectedError", StatusCode::kUnknown},
      {"", StatusCode::kUnknown},
  };
  for (const Row& row : rows) EXPECT_EQ(CodeForUpstreamCode(row.name), row.code) << row.name;
}

TEST(CodeForHttpStatusTest, FollowsTheTable) {
  EXPECT_EQ(CodeForHttpStatus(400), StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeForHttpStatus(401), StatusCode::kUnauthenticated);
  EXPECT_EQ(CodeForHttpStatus(403), StatusCode::kPermissionDenied);
  EXPECT_EQ(CodeForHttpStatus(404), StatusCode::kNotFound);
  EXPECT_EQ(CodeForHttpStatus(408), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(CodeForHttpStatus(418), StatusCode::kUnknown);
  EXPECT_EQ(CodeForHttpStatus(429), StatusCode::kResourceExhausted);
  for (const int status : {500, 502, 503, 504}) EXPECT_EQ(CodeForHttpStatus(status), StatusCode::kUnavailable);
}

UpstreamFailure Failure(int status, std::string body, HttpHeaders headers = {}) {
  const auto failure = FailureFromResponse({.status = status, .headers = std::move(headers), .body = std::move(body)});
  EXPECT_TRUE(failure.has_value());
  return failure.value_or(UpstreamFailure{});
}

TEST(FailureFromResponseTest, ASuccessIsNone) {
  EXPECT_FALSE(FailureFromResponse({.status = 200, .body = R"({"data":{}})"}).has_value());
  EXPECT_FALSE(FailureFromResponse({.status = 200, .body = R"({"data":{},"errors":[]})"}).has_value());
}

TEST(FailureFromResponseTest, ErrorsInABodyOfStatus200Fail) {
  const UpstreamFailure failure = Failure(200, Fixture("graphql-error-customer-not-found.json"));
  EXPECT_EQ(failure.status.code(), StatusCode::kNotFound);
  EXPECT_EQ(failure.status.message(), "Customer not found");
  EXPECT_EQ(failure.upstream_code, "CustomerNotFound");
  EXPECT_EQ(failure.trace_id, "4f9d1c0a7be84c5db2a1d5f7a9c3e210");
  EXPECT_FALSE(failure.transient);
}

TEST(FailureFromResponseTest, AnAnswerWithBothDataAndErrorsFails) {
  EXPECT_EQ(Failure(200, R"({"data":{"x":1},"errors":[{"message":"m"}]})").status.message(), "m");
}

TEST(FailureFromResponseTest, RejectedKeysAreKnownByStatusAndByCode) {
  EXPECT_TRUE(Failure(401, "").invalid_key);
  EXPECT_TRUE(Failure(200, Fixture("graphql-error-unauthenticated.json")).invalid_key);
  EXPECT_FALSE(Failure(403, "").invalid_key);
}

TEST(FailureFromResponseTest, ThrottlingIsKnownByStatusCodeAndWord) {
  for (const UpstreamFailure& failure : {Failure(429, ""), Failure(200, Fixture("graphql-error-rate-limit.json")),
                                         Failure(200, R"({"errors":[{"message":"ThrottlerException: slow down"}]})")}) {
    EXPECT_EQ(failure.status.code(), StatusCode::kResourceExhausted);
    EXPECT_TRUE(failure.transient);
    EXPECT_TRUE(failure.surely_not_processed);
  }
}

TEST(FailureFromResponseTest, RetryAfterIsSecondsOrADate) {
  EXPECT_EQ(Failure(429, "", {{"Retry-After", "30"}}).retry_after, Millis(30'000));
  EXPECT_EQ(Failure(503, "", {{"retry-after", "0"}}).retry_after, Millis(0));
  EXPECT_EQ(Failure(503, "", {{"Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT"}}).retry_after, Millis(0));
  EXPECT_EQ(Failure(503, "", {{"Retry-After", "soon"}}).retry_after, std::nullopt);
  EXPECT_EQ(Failure(503, "", {{"Retry-After", "-5"}}).retry_after, std::nullopt);
  EXPECT_EQ(Failure(503, "").retry_after, std::nullopt);
}

TEST(FailureFromResponseTest, RetryAfterIsADayAtMost) {
  constexpr Millis kDay{86'400'000};
  EXPECT_EQ(Failure(429, "", {{"Retry-After", "4000000000"}}).retry_after, kDay);
  EXPECT_EQ(Failure(429, "", {{"Retry-After", "Fri, 31 Dec 9999 23:59:59 GMT"}}).retry_after, kDay);
  EXPECT_EQ(Failure(429, "", {{"Retry-After", "infinite-future"}}).retry_after, std::nullopt);
  EXPECT_EQ(Failure(429, "", {{"Retry-After", "infinite-past"}}).retry_after, std::nullopt);
}

TEST(FailureFromResponseTest, ServerErrorsAreTransientButMayHaveBeenProcessed) {
  const UpstreamFailure failure = Failure(502, "<html>bad gateway</html>");
  EXPECT_EQ(failure.status.code(), StatusCode::kUnavailable);
  EXPECT_TRUE(failure.transient);
  EXPECT_FALSE(failure.surely_not_processed);
}

TEST(FailureFromResponseTest, TheBodysCodeWinsOverTheStatus) {
  EXPECT_EQ(Failure(500, Fixture("graphql-error-feature-not-found.json")).status.code(), StatusCode::kNotFound);
}

TEST(FailureFromResponseTest, AnUnknownCodeTakesTheStatusOfTheExchange) {
  EXPECT_EQ(Failure(503, R"({"errors":[{"message":"m","extensions":{"code":"Odd"}}]})").status.code(),
            StatusCode::kUnavailable);
  EXPECT_EQ(Failure(200, R"({"errors":[{"message":"m","extensions":{"code":"Odd"}}]})").status.code(),
            StatusCode::kUnknown);
}

TEST(FailureFromResponseTest, OddErrorsAreStillErrors) {
  EXPECT_EQ(Failure(200, R"({"errors":["text"]})").status.code(), StatusCode::kUnknown);
  EXPECT_EQ(Failure(200, R"({"errors":[{"message":5,"extensions":"x"}]})").status.message(), "unspecified error");
}

TEST(IsDocumentRejectedTest, KnowsValidationFailures) {
  const UpstreamFailure failure = Failure(
      400, R"({"errors":[{"message":"Cannot query field","extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}}]})");
  EXPECT_TRUE(IsDocumentRejected(failure));
  EXPECT_TRUE(failure.surely_not_processed);
  EXPECT_FALSE(IsDocumentRejected(Failure(400, "")));
}

TEST(FailureFromTransportTest, TimeOutsAreFinalAndBrokenConnectionsAreNot) {
  EXPECT_FALSE(FailureFromTransport({.status = absl::DeadlineExceededError("")}).transient);
  EXPECT_TRUE(FailureFromTransport({.status = absl::UnavailableError("")}).transient);
  EXPECT_TRUE(
      FailureFromTransport({.status = absl::UnavailableError(""), .surely_not_sent = true}).surely_not_processed);
}

TEST(FailureFromTransportTest, AnAnswerOverTheCapIsNoThrottling) {
  const UpstreamFailure failure = FailureFromTransport({.status = absl::ResourceExhaustedError("larger than 5 bytes")});
  EXPECT_EQ(failure.status.code(), StatusCode::kUnavailable);
  EXPECT_EQ(failure.status.message(), "unusable answer from upstream: larger than 5 bytes");
  EXPECT_FALSE(failure.surely_not_processed) << "a report was counted";
  EXPECT_FALSE(failure.transient) << "the next answer would be as large";
}

TEST(FailureFromTransportTest, AFullQueueOfOursIsExhaustedAndSentNothing) {
  const UpstreamFailure failure =
      FailureFromTransport({.status = absl::ResourceExhaustedError("too many"), .surely_not_sent = true});
  EXPECT_EQ(failure.status.code(), StatusCode::kResourceExhausted);
  EXPECT_TRUE(failure.surely_not_processed);
}

}  // namespace
}  // namespace sidecar
