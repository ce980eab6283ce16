#include "stigg/sidecar/cloud_api.h"

#include <algorithm>
#include <utility>

#include "adapters/json/json.h"
#include "adapters/upstream/failure_mapping.h"
#include "adapters/upstream/identity.h"
#include "sdk/https.h"
#include "text/text.h"

namespace stigg::sidecar {
namespace {

using ::sidecar::Dump;
using ::sidecar::InvalidArgument;
using ::sidecar::Json;
using ::sidecar::JsonObject;
using ::sidecar::StrCat;

/// Of the payload that carries an ApiError.
constexpr char kErrorUrl[] = "stigg.sidecar/ApiError";

// docs/protocol.md section 2.2, "provisioning".
constexpr char kProvisionCustomer[] =
    "mutation ProvisionCustomer($input: ProvisionCustomerInput!) { provisionCustomer(input: $input) { customer { "
    "customerId name email } } }";
constexpr char kProvisionSubscription[] =
    "mutation ProvisionSubscription($input: ProvisionSubscriptionInput!) { provisionSubscription(input: $input) { "
    "status } }";

absl::Status WithError(const ::sidecar::UpstreamFailure& failure) {
  absl::Status status = failure.status;
  status.SetPayload(
      kErrorUrl,
      absl::Cord(
          Dump({{"code", failure.upstream_code}, {"traceId", failure.trace_id}, {"httpStatus", failure.http_status}})));
  return status;
}

/// An object in an object, by name; UNAVAILABLE when the answer is of another shape.
absl::StatusOr<Json> Member(absl::StatusOr<Json> json, std::initializer_list<std::string_view> path) {
  if (!json.ok()) return json;
  std::string so_far = "data";
  for (const std::string_view name : path) {
    ::sidecar::StrAppend(&so_far, ".", name);
    const auto member = json->find(std::string(name));
    if (member == json->end() || !member->is_object()) {
      return ::sidecar::Unavailable("unusable answer: ", so_far, " is not an object");
    }
    Json inner = std::move(*member);
    *json = std::move(inner);
  }
  return json;
}

}  // namespace

std::optional<ApiError> ApiErrorOf(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kErrorUrl);
  if (!payload.has_value()) return std::nullopt;
  const absl::StatusOr<Json> json = ::sidecar::ParseJson(std::string(*payload));
  if (!json.ok()) return std::nullopt;
  absl::Status ignored;
  JsonObject error(*json, "", ignored);
  return ApiError{.code = error.TextOrEmpty("code"),
                  .trace_id = error.TextOrEmpty("traceId"),
                  .http_status = static_cast<int>(error.Number("httpStatus").value_or(0))};
}

class CloudApi::Impl {
 public:
  explicit Impl(ApiOptions options) : options_(std::move(options)) {}

  /// `variables` is an object. The `data` member.
  absl::StatusOr<Json> Execute(const std::string& name, std::string_view document, const Json& variables) {
    if (options_.key.empty()) return absl::FailedPreconditionError("api.key: must not be empty");
    if (std::ranges::any_of(options_.key, ::sidecar::IsControl)) {
      return InvalidArgument("api.key: has a control character");  // it would end its header
    }
    constexpr Millis kLongest{86'400'000};
    if (options_.timeout < Millis(1) || options_.timeout > kLongest) {
      return InvalidArgument("api.timeout: ", options_.timeout.count(), " ms; expected 1 to ", kLongest.count());
    }
    ::sidecar::HttpRequest request{
        .method = "POST",
        .url = StrCat(options_.url, "/graphql"),
        .headers = ::sidecar::GraphqlHeaders(identity_, options_.key, name),
        .body = Dump({{"operationName", name}, {"variables", variables}, {"query", document}})};
    return Read(sdk::Exchange(request, options_.timeout, options_.extra_ca_file));
  }

 private:
  static absl::StatusOr<Json> Read(const ::sidecar::HttpResult& result) {
    if (!result.status.ok()) return WithError(::sidecar::FailureFromTransport(result));
    if (const auto failure = ::sidecar::FailureFromResponse(result.response)) return WithError(*failure);
    absl::StatusOr<Json> data = ::sidecar::DataIn(result.response);
    if (!data.ok()) return WithError(::sidecar::FailureFromBody(data.status()));
    return data;
  }

  const ApiOptions options_;
  const ::sidecar::ProcessIdentity identity_ = ::sidecar::ProcessIdentity::OfThisProcess(STIGG_SIDECAR_SDK_VERSION);
};

CloudApi::CloudApi(ApiOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
CloudApi::~CloudApi() = default;

absl::StatusOr<std::string> CloudApi::Execute(const Operation& operation) {
  const absl::StatusOr<Json> variables = ::sidecar::ParseJson(operation.variables_json);
  if (!variables.ok()) return InvalidArgument("variables_json: ", ::sidecar::Message(variables.status()));
  if (!variables->is_object()) return InvalidArgument("variables_json: expected an object");
  const absl::StatusOr<Json> data = impl_->Execute(operation.name, operation.document, *variables);
  if (!data.ok()) return data.status();
  return Dump(*data);
}

absl::StatusOr<ProvisionedCustomer> CloudApi::ProvisionCustomer(const CustomerToProvision& customer) {
  Json input = Json::object();
  if (!customer.customer_id.empty()) input["customerId"] = customer.customer_id;
  if (!customer.name.empty()) input["name"] = customer.name;
  if (!customer.email.empty()) input["email"] = customer.email;
  const absl::StatusOr<Json> made = Member(impl_->Execute("ProvisionCustomer", kProvisionCustomer, {{"input", input}}),
                                           {"provisionCustomer", "customer"});
  if (!made.ok()) return made.status();
  absl::Status status;
  JsonObject read(*made, "data.provisionCustomer.customer", status);
  ProvisionedCustomer provisioned{.customer_id = read.TextOrEmpty("customerId"),
                                  .name = read.TextOrEmpty("name"),
                                  .email = read.TextOrEmpty("email")};
  if (!status.ok()) return ::sidecar::Unavailable("unusable answer: ", ::sidecar::Message(status));
  return provisioned;
}

absl::StatusOr<std::string> CloudApi::ProvisionSubscription(const SubscriptionToProvision& subscription) {
  if (subscription.customer_id.empty()) return InvalidArgument("customer_id: must not be empty");
  if (subscription.plan_id.empty()) return InvalidArgument("plan_id: must not be empty");
  Json input = {{"customerId", subscription.customer_id}, {"planId", subscription.plan_id}};
  if (subscription.billing_period.has_value()) {
    input["billingPeriod"] = *subscription.billing_period == BillingPeriod::kMonthly ? "MONTHLY" : "ANNUALLY";
  }
  if (subscription.unit_quantity.has_value()) input["unitQuantity"] = *subscription.unit_quantity;
  const absl::StatusOr<Json> made = Member(
      impl_->Execute("ProvisionSubscription", kProvisionSubscription, {{"input", input}}), {"provisionSubscription"});
  if (!made.ok()) return made.status();
  absl::Status status;
  JsonObject read(*made, "data.provisionSubscription", status);
  std::string said = read.TextOrEmpty("status");
  if (!status.ok()) return ::sidecar::Unavailable("unusable answer: ", ::sidecar::Message(status));
  return said;
}

}  // namespace stigg::sidecar
