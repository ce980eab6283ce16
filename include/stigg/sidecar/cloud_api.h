// The cloud's GraphQL API, for what is no check and no report: provisioning, catalog, anything.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "stigg/sidecar/types.h"

namespace stigg::sidecar {

struct ApiOptions {
  std::string key;                           ///< a server API key
  std::string url = "https://api.stigg.io";  ///< without /graphql
  Millis timeout{30'000};                    ///< of an operation, at least 1 ms
  std::string extra_ca_file;                 ///< PEM, trusted beside the system's authorities
};

/// What the API says of an operation that failed, beside the status: of its first error.
struct ApiError {
  std::string code;      ///< extensions.code, e.g. "CustomerNotFound"; may be empty
  std::string trace_id;  ///< extensions.traceId, to quote to the vendor; may be empty
  int http_status = 0;   ///< 0: there was no answer
};
/// nullopt: the status is not one of CloudApi's.
std::optional<ApiError> ApiErrorOf(const absl::Status& status);

struct Operation {
  std::string name;      ///< of the operation in the document
  std::string document;  ///< GraphQL, one operation
  std::string variables_json = "{}";
};

struct CustomerToProvision {
  std::string customer_id;  ///< empty: the cloud makes one
  std::string name;
  std::string email;
};
struct ProvisionedCustomer {
  std::string customer_id;
  std::string name;   ///< may be empty
  std::string email;  ///< may be empty
};

enum class BillingPeriod { kMonthly, kAnnually };

struct SubscriptionToProvision {
  std::string customer_id;
  std::string plan_id;
  std::optional<BillingPeriod> billing_period;
  std::optional<double> unit_quantity;
};

/// HTTP/1.1 to one API. Calls wait for their answer; safe from any number of threads, each operation on a
/// connection of its own.
///
/// Errors: INVALID_ARGUMENT (an option or argument cannot be sent, or the cloud says so), FAILED_PRECONDITION (there is
/// no key), UNAUTHENTICATED, PERMISSION_DENIED, NOT_FOUND, RESOURCE_EXHAUSTED (throttled), DEADLINE_EXCEEDED,
/// UNAVAILABLE (no connection, 5xx), UNKNOWN (an error with a code that is not in docs/protocol.md section 2.3).
/// Nothing is sent twice.
class CloudApi {
 public:
  explicit CloudApi(ApiOptions options);
  ~CloudApi();
  CloudApi(const CloudApi&) = delete;
  CloudApi& operator=(const CloudApi&) = delete;

  /// Runs the operation; the `data` member as JSON. An answer with errors fails.
  absl::StatusOr<std::string> Execute(const Operation& operation);

  absl::StatusOr<ProvisionedCustomer> ProvisionCustomer(const CustomerToProvision& customer);
  /// The status that the cloud answers, "SUCCESS" among others.
  absl::StatusOr<std::string> ProvisionSubscription(const SubscriptionToProvision& subscription);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stigg::sidecar
