#include "service/failure_answer.h"

#include "service/reverse_writer.h"
#include "text/text.h"

namespace sidecar {
namespace {

/// What a throttled caller is told when upstream did not say.
constexpr Millis kDefaultRetryAfter{1'000};

}  // namespace

std::string EncodeRetryInfo(const absl::Status& status, Millis retry_after) {
  // google.rpc.Status{code = 1, message = 2, details = 3: Any{type_url = 1, value = 2}},
  // RetryInfo{retry_delay = 1: Duration{seconds = 1, nanos = 2}}.
  ReverseWriter out;
  const size_t any = out.Mark();
  const size_t retry_info = out.Mark();
  const size_t delay = out.Mark();
  if (const int64_t rest_ms = retry_after.count() % 1000; rest_ms != 0) out.Int(2, rest_ms * 1'000'000);
  if (const int64_t seconds = retry_after.count() / 1000; seconds != 0) out.Int(1, seconds);
  out.CloseMessage(1, delay);
  out.CloseMessage(2, retry_info);
  out.Bytes(1, "type.googleapis.com/google.rpc.RetryInfo");
  out.CloseMessage(3, any);
  out.Bytes(2, Message(status));
  out.Int(1, status.raw_code());
  return std::string(out.view());
}

void FailReport(Call& call, std::string_view prefix, const ReportOutcome& outcome) {
  const UpstreamFailure& failure = *outcome.failure;
  std::string message = StrCat(prefix, Message(failure.status));
  if (!failure.trace_id.empty()) StrAppend(&message, " (trace id ", failure.trace_id, ")");
  if (outcome.acknowledged > 0) {
    StrAppend(&message, "; ", outcome.acknowledged, " of ", outcome.total, " were acknowledged, the rest was not sent");
  }
  const absl::Status status(failure.status.code(), message);
  std::string details;
  if (status.code() == absl::StatusCode::kResourceExhausted) {
    details = EncodeRetryInfo(status, failure.retry_after.value_or(kDefaultRetryAfter));
  }
  call.Fail(status, details);
}

}  // namespace sidecar
