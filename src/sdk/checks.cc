// The checks of rpcs.h.
#include <utility>

#include "sdk/rpcs.h"
#include "sdk/values.h"

namespace stigg::sidecar::sdk {
namespace {

template <typename Check, typename Request>
void WriteIds(const Check& check, Request& request) {
  request.set_customer_id(check.customer_id);
  request.set_feature_id(check.feature_id);
  if (!check.resource_id.empty()) request.set_resource_id(check.resource_id);
}

void WriteFallback(const BooleanFallback& fallback, v1::GetEntitlementFallback& out) {
  out.set_has_access(fallback.has_access);
}
void WriteFallback(const NumericFallback& fallback, v1::GetEntitlementFallback& out) {
  out.set_has_access(fallback.has_access);
  if (fallback.value.has_value()) out.set_value(*fallback.value);
  if (fallback.is_unlimited.has_value()) out.set_is_unlimited(*fallback.is_unlimited);
}
void WriteFallback(const MeteredFallback& fallback, v1::GetEntitlementFallback& out) {
  out.set_has_access(fallback.has_access);
  if (fallback.usage_limit.has_value()) out.set_usage_limit(*fallback.usage_limit);
  if (fallback.is_unlimited.has_value()) out.set_is_unlimited(*fallback.is_unlimited);
}
void WriteFallback(const EnumFallback& fallback, v1::GetEntitlementFallback& out) {
  out.set_has_access(fallback.has_access);
  for (const std::string& value : fallback.values) out.add_enum_values(value);
}

/// Of the checks that take any kind.
template <typename Check>
void WriteOptions(const Check& check, v1::GetEntitlementOptions& out) {
  if (check.requested_usage.has_value()) out.set_requested_usage(*check.requested_usage);
  for (const std::string& value : check.requested_values) out.add_requested_values(value);
  if (check.fallback.has_value()) {
    std::visit([&](const auto& fallback) { WriteFallback(fallback, *out.mutable_fallback()); }, *check.fallback);
  }
}

// What a fallback grants.
BooleanEntitlement Granted(const BooleanFallback&) { return {}; }
NumericEntitlement Granted(const NumericFallback& fallback) {
  return {.value = fallback.value, .is_unlimited = fallback.is_unlimited.value_or(false)};
}
MeteredEntitlement Granted(const MeteredFallback& fallback) {
  return {.usage_limit = fallback.usage_limit, .is_unlimited = fallback.is_unlimited.value_or(false)};
}
EnumEntitlement Granted(const EnumFallback& fallback) { return {.values = fallback.values}; }

/// As the sidecar answers a fallback (docs/protocol.md section 5.2), but for `source`.
Verdict VerdictOf(bool has_access) {
  return {.has_access = has_access,
          .is_fallback = true,
          .access_denied_reason = AccessDeniedReason::kUnknown,
          .source = Source::kUnreachable};
}

const Fallback* Configured(const FallbackMap& configured, const std::string& feature_id) {
  const auto found = configured.find(feature_id);
  return found == configured.end() ? nullptr : &found->second;
}

/// The fallback of the call, else the configured one, which takes the question's kind: a member that it does not
/// have is not there.
template <typename Kind>
std::optional<Kind> Chosen(const std::optional<Kind>& of_call, const FallbackMap& configured,
                           const std::string& feature_id) {
  if (of_call.has_value()) return of_call;
  const Fallback* const fallback = Configured(configured, feature_id);
  if (fallback == nullptr) return std::nullopt;
  if (const Kind* const same = std::get_if<Kind>(fallback)) return *same;
  return Kind{.has_access = std::visit([](const auto& any) { return any.has_access; }, *fallback)};
}

template <typename Answer, typename Check>
std::optional<Answer> TypedFallback(const Check& check, const FallbackMap& configured) {
  const auto fallback = Chosen(check.fallback, configured, check.feature_id);
  if (!fallback.has_value()) return std::nullopt;
  Answer answer{VerdictOf(fallback->has_access)};
  answer.entitlement = Granted(*fallback);
  return answer;
}

std::optional<EntitlementAnswer> AnyFallback(const std::optional<Fallback>& of_call, const FallbackMap& configured,
                                             const std::string& id) {
  const Fallback* const fallback = of_call.has_value() ? &*of_call : Configured(configured, id);
  if (fallback == nullptr) return std::nullopt;
  return std::visit(
      [](const auto& any) {
        return EntitlementAnswer{VerdictOf(any.has_access), Granted(any)};
      },
      *fallback);
}

EntitlementAnswer AnswerOf(v1::EntitlementV2& message) {
  EntitlementAnswer answer;
  ReadVerdict(message, answer);
  answer.entitlement =
      message.has_credit() ? Entitlement(ValueOf(std::move(*message.mutable_credit()))) : EntitlementOf(message);
  return answer;
}

}  // namespace

void BooleanRpc::Write(const Question& check, Request& request) {
  WriteIds(check, request);
  if (check.fallback.has_value()) {
    request.mutable_options()->mutable_fallback()->set_has_access(check.fallback->has_access);
  }
}

BooleanAnswer BooleanRpc::Read(Response&& response) {
  BooleanAnswer answer;
  ReadVerdict(response, answer);
  answer.entitlement = ValueOf(std::move(*response.mutable_entitlement()));
  return answer;
}

std::optional<BooleanAnswer> BooleanRpc::Fallback(const Question& check, const FallbackMap& configured) {
  return TypedFallback<Answer>(check, configured);
}

void NumericRpc::Write(const Question& check, Request& request) {
  WriteIds(check, request);
  if (!check.fallback.has_value()) return;
  v1::NumericEntitlementFallback& out = *request.mutable_options()->mutable_fallback();
  out.set_has_access(check.fallback->has_access);
  if (check.fallback->value.has_value()) out.set_value(*check.fallback->value);
  if (check.fallback->is_unlimited.has_value()) out.set_is_unlimited(*check.fallback->is_unlimited);
}

NumericAnswer NumericRpc::Read(Response&& response) {
  NumericAnswer answer;
  ReadVerdict(response, answer);
  answer.entitlement = ValueOf(std::move(*response.mutable_entitlement()));
  return answer;
}

std::optional<NumericAnswer> NumericRpc::Fallback(const Question& check, const FallbackMap& configured) {
  return TypedFallback<Answer>(check, configured);
}

void MeteredRpc::Write(const Question& check, Request& request) {
  WriteIds(check, request);
  if (check.requested_usage.has_value()) request.mutable_options()->set_requested_usage(*check.requested_usage);
  if (!check.fallback.has_value()) return;
  v1::MeteredEntitlementFallback& out = *request.mutable_options()->mutable_fallback();
  out.set_has_access(check.fallback->has_access);
  if (check.fallback->usage_limit.has_value()) out.set_usage_limit(*check.fallback->usage_limit);
  if (check.fallback->is_unlimited.has_value()) out.set_is_unlimited(*check.fallback->is_unlimited);
}

MeteredAnswer MeteredRpc::Read(Response&& response) {
  MeteredAnswer answer;
  ReadVerdict(response, answer);
  answer.requested_usage = response.requested_usage();
  answer.entitlement = ValueOf(std::move(*response.mutable_entitlement()));
  return answer;
}

std::optional<MeteredAnswer> MeteredRpc::Fallback(const Question& check, const FallbackMap& configured) {
  auto answer = TypedFallback<Answer>(check, configured);
  if (answer.has_value()) answer->requested_usage = check.requested_usage.value_or(1);
  return answer;
}

void EnumRpc::Write(const Question& check, Request& request) {
  WriteIds(check, request);
  for (const std::string& value : check.requested_values) request.mutable_options()->add_requested_values(value);
  if (!check.fallback.has_value()) return;
  v1::EnumEntitlementFallback& out = *request.mutable_options()->mutable_fallback();
  out.set_has_access(check.fallback->has_access);
  for (const std::string& value : check.fallback->values) out.add_enum_values(value);
}

EnumAnswer EnumRpc::Read(Response&& response) {
  EnumAnswer answer;
  ReadVerdict(response, answer);
  answer.requested_values.assign(response.requested_values().begin(), response.requested_values().end());
  answer.entitlement = ValueOf(std::move(*response.mutable_entitlement()));
  return answer;
}

std::optional<EnumAnswer> EnumRpc::Fallback(const Question& check, const FallbackMap& configured) {
  auto answer = TypedFallback<Answer>(check, configured);
  if (answer.has_value()) answer->requested_values = check.requested_values;
  return answer;
}

void EntitlementRpc::Write(const Question& check, Request& request) {
  WriteIds(check, request);
  WriteOptions(check, *request.mutable_options());
}

EntitlementAnswer EntitlementRpc::Read(Response&& response) {
  EntitlementAnswer answer;
  ReadVerdict(response, answer);
  answer.entitlement = EntitlementOf(response);
  return answer;
}

std::optional<EntitlementAnswer> EntitlementRpc::Fallback(const Question& check, const FallbackMap& configured) {
  return AnyFallback(check.fallback, configured, check.feature_id);
}

void EntitlementV2Rpc::Write(const Question& check, Request& request) {
  request.set_customer_id(check.customer_id);
  if (!check.resource_id.empty()) request.set_resource_id(check.resource_id);
  if (!check.feature_id.empty()) request.set_feature_id(check.feature_id);
  if (!check.currency_id.empty()) request.set_currency_id(check.currency_id);
  WriteOptions(check, *request.mutable_options());
}

EntitlementAnswer EntitlementV2Rpc::Read(Response&& response) { return AnswerOf(*response.mutable_entitlement()); }

std::optional<EntitlementAnswer> EntitlementV2Rpc::Fallback(const Question& check, const FallbackMap& configured) {
  const bool credit = check.feature_id.empty();
  auto answer = AnyFallback(check.fallback, configured, credit ? check.currency_id : check.feature_id);
  if (!answer.has_value()) return std::nullopt;
  if (answer->has_access) answer->access_denied_reason.reset();  // docs/protocol.md section 13.11
  if (credit) {
    const auto* const metered = std::get_if<MeteredEntitlement>(&answer->entitlement);
    const double limit = metered == nullptr ? 0 : metered->usage_limit.value_or(0);
    answer->entitlement =
        CreditEntitlement{.currency = {.id = check.currency_id}, .usage_limit = limit, .remaining = limit};
  }
  return answer;
}

void ListRpc::Write(const Question& subject, Request& request) {
  request.set_customer_id(subject.customer_id);
  if (!subject.resource_id.empty()) request.set_resource_id(subject.resource_id);
}

EntitlementList ListRpc::Read(Response&& response) {
  EntitlementList list;
  list.entitlements.reserve(static_cast<size_t>(response.entitlements_size()));
  for (v1::Entitlement& each : *response.mutable_entitlements()) list.entitlements.push_back(EntitlementOf(each));
  if (response.has_access_denied_reason()) {
    list.access_denied_reason = static_cast<AccessDeniedReason>(response.access_denied_reason());
  }
  return list;
}

void StateRpc::Write(const Question& subject, Request& request) {
  request.set_customer_id(subject.customer_id);
  if (!subject.resource_id.empty()) request.set_resource_id(subject.resource_id);
}

EntitlementState StateRpc::Read(Response&& response) {
  EntitlementState state;
  state.entitlements.reserve(static_cast<size_t>(response.entitlements_size()));
  for (v1::EntitlementV2& each : *response.mutable_entitlements()) state.entitlements.push_back(AnswerOf(each));
  if (response.has_access_denied_reason()) {
    state.access_denied_reason = static_cast<AccessDeniedReason>(response.access_denied_reason());
  }
  return state;
}

}  // namespace stigg::sidecar::sdk
