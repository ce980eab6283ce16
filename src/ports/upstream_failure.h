#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "domain/time.h"

namespace sidecar {

/// Why an exchange with upstream did not give what was asked for.
struct UpstreamFailure {
  /// Code as the table of design section 9 (docs/architecture.md, errors) maps it; the
  /// message is upstream's own, or says what happened on the way.
  absl::Status status;
  std::string upstream_code;  ///< extensions.code, e.g. "CustomerNotFound"; may be empty
  std::string trace_id;       ///< extensions.traceId; may be empty
  int http_status = 0;        ///< 0: there was no answer
  /// Set on 429 and 503 when upstream said when to come back.
  std::optional<Millis> retry_after;
  /// The request surely did not reach a handler: sending it again cannot count twice.
  bool surely_not_processed = false;
  /// Of a usage report: sent again later, with its idempotency key, it cannot count twice.
  bool safe_to_repeat = false;
  /// The API key was rejected (HTTP 401 or code Unauthenticated).
  bool invalid_key = false;
  /// Worth another try of a read: network errors, 429 and 5xx, not time-outs.
  bool transient = false;
};

template <typename T>
class UpstreamResult {
 public:
  UpstreamResult(T value) : state_(std::move(value)) {}                    // NOLINT(google-explicit-constructor)
  UpstreamResult(UpstreamFailure failure) : state_(std::move(failure)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return std::holds_alternative<T>(state_); }
  const T& value() const { return std::get<T>(state_); }
  T& value() { return std::get<T>(state_); }
  const UpstreamFailure& failure() const { return std::get<UpstreamFailure>(state_); }
  UpstreamFailure& failure() { return std::get<UpstreamFailure>(state_); }

 private:
  std::variant<T, UpstreamFailure> state_;
};

}  // namespace sidecar
