#include "adapters/upstream/failure_mapping.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/time/time.h"
#include "text/text.h"

namespace sidecar {
namespace {

using absl::StatusCode;

// docs/protocol.md section 2.3 has the names; the codes are those of docs/architecture.md,
// "errors".
constexpr std::array<std::pair<std::string_view, StatusCode>, 22> kCodes{{
    {"Unauthenticated", StatusCode::kUnauthenticated},
    {"UNAUTHENTICATED", StatusCode::kUnauthenticated},
    {"ApiKeyExpired", StatusCode::kUnauthenticated},
    {"AccessDeniedError", StatusCode::kPermissionDenied},
    {"AccessDenied", StatusCode::kPermissionDenied},
    {"IdentityForbidden", StatusCode::kPermissionDenied},
    {"CustomerNotFound", StatusCode::kNotFound},
    {"CustomerResourceNotFound", StatusCode::kNotFound},
    {"ResourceNotFound", StatusCode::kNotFound},
    {"FeatureNotFound", StatusCode::kNotFound},
    {"BadUserInput", StatusCode::kInvalidArgument},
    {"BAD_USER_INPUT", StatusCode::kInvalidArgument},
    {"InvalidArgumentError", StatusCode::kInvalidArgument},
    {"InvalidArgument", StatusCode::kInvalidArgument},
    {"EntitlementUsageOutOfRangeError", StatusCode::kInvalidArgument},
    {"UsageMeasurementDiffOutOfRangeError", StatusCode::kInvalidArgument},
    {"RateLimitExceeded", StatusCode::kResourceExhausted},
    {"EntitlementLimitExceededError", StatusCode::kFailedPrecondition},
    {"NoActiveSubscriptionForCustomer", StatusCode::kFailedPrecondition},
    {"NoActiveSubscription", StatusCode::kFailedPrecondition},
    {"OperationTimeout", StatusCode::kDeadlineExceeded},
    {"RequestTimeout", StatusCode::kDeadlineExceeded},
}};

/// The word by which a throttled request is known when no code says so (section 2.5).
constexpr std::string_view kThrottled = "ThrottlerException";

/// Longest time that upstream can make us wait, whatever it or its clock says.
constexpr Millis kRetryAfterMax{86'400'000};

std::optional<Millis> RetryAfter(const HttpResponse& response) {
  const std::string* const header = response.Header("Retry-After");
  if (header == nullptr) return std::nullopt;
  if (const auto seconds = ParseNumber<uint32_t>(*header)) {
    return std::min(Millis(int64_t{*seconds} * 1000), kRetryAfterMax);
  }
  absl::Time at;
  std::string ignored;
  // ParseTime also reads "infinite-future", whatever the format.
  if (!absl::ParseTime("%a, %d %b %Y %H:%M:%S GMT", *header, &at, &ignored) || at == absl::InfiniteFuture() ||
      at == absl::InfinitePast()) {
    return std::nullopt;
  }
  return std::clamp(Millis(absl::ToInt64Milliseconds(at - absl::Now())), Millis(0), kRetryAfterMax);
}

bool IsTransientStatus(int status) { return status == 429 || status >= 500; }

/// What the first GraphQL error of a body says; nullopt when the body has none.
std::optional<UpstreamFailure> FirstGraphqlError(std::string_view body) {
  const absl::StatusOr<Json> document = ParseJson(body);
  if (!document.ok() || !document->is_object()) return std::nullopt;
  const auto errors = document->find("errors");
  if (errors == document->end() || !errors->is_array() || errors->empty()) return std::nullopt;
  absl::Status ignored;
  JsonObject error((*errors)[0], "errors[0]", ignored);
  UpstreamFailure failure;
  const std::string message = error.TextOrEmpty("message");
  if (const Json* const extensions_json = error.Object("extensions")) {
    JsonObject extensions(*extensions_json, "errors[0].extensions", ignored);
    failure.upstream_code = extensions.TextOrEmpty("code");
    failure.trace_id = extensions.TextOrEmpty("traceId");
  }
  StatusCode code = CodeForUpstreamCode(failure.upstream_code);
  if (Contains(message, kThrottled)) code = StatusCode::kResourceExhausted;
  failure.status = absl::Status(code, message.empty() ? "unspecified error" : message);
  return failure;
}

}  // namespace

StatusCode CodeForUpstreamCode(std::string_view upstream_code) {
  for (const auto& [name, code] : kCodes) {
    if (name == upstream_code) return code;
  }
  return StatusCode::kUnknown;
}

StatusCode CodeForHttpStatus(int status) {
  switch (status) {
    case 400:
      return StatusCode::kInvalidArgument;
    case 401:
      return StatusCode::kUnauthenticated;
    case 403:
      return StatusCode::kPermissionDenied;
    case 404:
      return StatusCode::kNotFound;
    case 408:
      return StatusCode::kDeadlineExceeded;
    case 429:
      return StatusCode::kResourceExhausted;
    default:
      return status >= 500 ? StatusCode::kUnavailable : StatusCode::kUnknown;
  }
}

UpstreamFailure FailureFromTransport(const HttpResult& result) {
  // An answer over the cap: upstream has acted, and asking again would bring the same. It is
  // not the caller who sends too much.
  if (absl::IsResourceExhausted(result.status) && !result.surely_not_sent) return FailureFromBody(result.status);
  return {.status = result.status,
          .surely_not_processed = result.surely_not_sent,
          .transient = result.status.code() == StatusCode::kUnavailable};
}

std::optional<UpstreamFailure> FailureFromResponse(const HttpResponse& response) {
  const bool success = response.status >= 200 && response.status < 300;
  std::optional<UpstreamFailure> failure = FirstGraphqlError(response.body);
  if (success && !failure.has_value()) return std::nullopt;
  if (!failure.has_value()) {
    failure = UpstreamFailure{
        .status = absl::Status(CodeForHttpStatus(response.status), StrCat("upstream answered HTTP ", response.status))};
  } else if (!success && failure->status.code() == StatusCode::kUnknown) {
    failure->status = absl::Status(CodeForHttpStatus(response.status), failure->status.message());
  }
  failure->http_status = response.status;
  failure->retry_after = RetryAfter(response);
  failure->transient = IsTransientStatus(response.status) || failure->status.code() == StatusCode::kResourceExhausted;
  // Throttling happens before a request is handled (section 2.5).
  failure->surely_not_processed =
      failure->status.code() == StatusCode::kResourceExhausted || IsDocumentRejected(*failure);
  failure->invalid_key = failure->status.code() == StatusCode::kUnauthenticated;
  return failure;
}

absl::StatusOr<Json> DataIn(const HttpResponse& response) {
  const std::string* const encoding = response.Header("Content-Encoding");
  if (encoding != nullptr && !EqualsIgnoreCase(*encoding, "identity")) {
    return InvalidArgument("unasked content encoding ", *encoding);
  }
  absl::StatusOr<Json> body = ParseJson(response.body);
  if (!body.ok()) return body;
  const auto data = body->is_object() ? body->find("data") : body->end();
  if (data == body->end() || !data->is_object()) return InvalidArgument("data: expected an object");
  return std::move(*data);
}

UpstreamFailure FailureFromBody(const absl::Status& why) {
  return {.status = Unavailable("unusable answer from upstream: ", Message(why))};
}

bool IsDocumentRejected(const UpstreamFailure& failure) {
  return failure.upstream_code == "GRAPHQL_VALIDATION_FAILED" || failure.upstream_code == "GRAPHQL_PARSE_FAILED";
}

}  // namespace sidecar
