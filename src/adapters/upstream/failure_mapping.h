// From what upstream said to our status codes: one table, tested row by row.
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "adapters/json/json.h"
#include "ports/http_transport.h"
#include "ports/upstream_failure.h"

namespace sidecar {

/// Code of an error named by extensions.code; kUnknown for names not in the table.
absl::StatusCode CodeForUpstreamCode(std::string_view upstream_code);

/// Code of an HTTP status that is not 2xx.
absl::StatusCode CodeForHttpStatus(int status);

/// Failure for an exchange without a complete response.
UpstreamFailure FailureFromTransport(const HttpResult& result);

/// Failure for a response that is not 2xx, or whose body carries GraphQL errors: the first
/// error decides, then the HTTP status. nullopt when the response is a success so far.
std::optional<UpstreamFailure> FailureFromResponse(const HttpResponse& response);

/// The `data` member of a response in which FailureFromResponse found nothing wrong: an object. INVALID_ARGUMENT says
/// why the body cannot be used.
absl::StatusOr<Json> DataIn(const HttpResponse& response);

/// Failure for a body that cannot be used.
UpstreamFailure FailureFromBody(const absl::Status& why);

/// GraphQL rejected the document itself: unknown field, type or argument. Nothing ran.
bool IsDocumentRejected(const UpstreamFailure& failure);

}  // namespace sidecar
