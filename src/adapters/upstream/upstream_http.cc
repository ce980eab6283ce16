#include "adapters/upstream/upstream_http.h"

#include <utility>

#include "adapters/upstream/failure_mapping.h"
#include "text/text.h"

namespace sidecar {
namespace {

absl::StatusOr<Json> TakeData(std::string_view text) {
  absl::StatusOr<Json> body = ParseJson(text);
  if (!body.ok()) return body;
  const auto data = body->is_object() ? body->find("data") : body->end();
  if (data == body->end() || !data->is_object()) {
    return absl::InvalidArgumentError("data: expected an object");
  }
  return std::move(*data);
}

}  // namespace

void UpstreamHttp::GetEdge(std::string url, MonoTime deadline, Done done) {
  Send({.method = "GET", .url = std::move(url), .headers = EdgeHeaders(identity_, api_key_())}, deadline,
       std::move(done));
}

void UpstreamHttp::PostGraphql(std::string url, std::string_view operation, std::string body, bool once,
                               MonoTime deadline, Done done) {
  Send({.method = "POST",
        .url = std::move(url),
        .headers = GraphqlHeaders(identity_, api_key_(), operation),
        .body = std::move(body),
        .send_once = once},
       deadline, std::move(done));
}

void UpstreamHttp::Send(HttpRequest request, MonoTime deadline, Done done) {
  transport_.Send(std::move(request), deadline, [this, done = std::move(done)](const HttpResult& result) mutable {
    const auto fail = [&](UpstreamFailure failure) {
      Count(failure);
      std::move(done)(std::move(failure));
    };
    if (!result.status.ok()) return fail(FailureFromTransport(result));
    if (auto failure = FailureFromResponse(result.response)) return fail(*std::move(failure));
    const std::string* const encoding = result.response.Header("Content-Encoding");
    if (encoding != nullptr && !EqualsIgnoreCase(*encoding, "identity")) {
      metrics_.malformed_responses.Add();
      return fail(FailureFromBody(InvalidArgument("unasked content encoding ", *encoding)));
    }
    absl::StatusOr<Json> data = TakeData(result.response.body);
    if (!data.ok()) {
      metrics_.malformed_responses.Add();
      return fail(FailureFromBody(data.status()));
    }
    std::move(done)(*std::move(data));
  });
}

void UpstreamHttp::Count(const UpstreamFailure& failure) {
  // The vendor's engine counts a rejected key instead of, not beside, a failed request
  // (docs/protocol.md section 1.5).
  (failure.invalid_key ? metrics_.invalid_api_key_errors : metrics_.network_request_errors).Add();
  if (failure.invalid_key) on_rejected_();
}

}  // namespace sidecar
