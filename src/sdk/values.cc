#include "sdk/values.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <utility>

namespace stigg::sidecar {

std::string Name(AccessDeniedReason reason) {
  constexpr std::string_view kPrefix = "ACCESS_DENIED_REASON_";
  const int number = static_cast<int>(reason);
  if (!v1::AccessDeniedReason_IsValid(number)) return "REASON_" + std::to_string(number);
  return v1::AccessDeniedReason_Name(static_cast<v1::AccessDeniedReason>(number)).substr(kPrefix.size());
}

namespace sdk {
namespace {

std::optional<Feature> FeatureOf(v1::EntitlementFeature&& message) {
  return Feature{.id = std::move(*message.mutable_id()),
                 .type = static_cast<FeatureType>(message.feature_type()),
                 .units = message.has_units() ? std::move(*message.mutable_units()) : "",
                 .units_plural = message.has_units_plural() ? std::move(*message.mutable_units_plural()) : "",
                 .meter = static_cast<MeterType>(message.meter_type()),
                 .is_metered = message.is_metered()};
}

template <typename Message>
std::optional<Feature> FeatureIn(Message& message) {
  if (!message.has_feature()) return std::nullopt;
  return FeatureOf(std::move(*message.mutable_feature()));
}

std::string JsonOf(const google::protobuf::Struct& members) {
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(members, &json).ok()) return "";
  return json;
}

}  // namespace

Time TimeOf(const google::protobuf::Timestamp& timestamp) {
  constexpr int64_t kLimit = 9'223'372'035;  // seconds of 64 bits of nanoseconds
  const int64_t seconds = std::clamp(timestamp.seconds(), -kLimit, kLimit);
  const std::chrono::nanoseconds nanos(std::clamp(timestamp.nanos(), 0, 999'999'999));
  return Time(std::chrono::duration_cast<Time::duration>(std::chrono::seconds(seconds) + nanos));
}

void WriteTime(Time time, google::protobuf::Timestamp& out) {
  const auto since = time.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
  out.set_seconds(seconds.count());
  out.set_nanos(static_cast<int32_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(since - seconds).count()));
}

BooleanEntitlement ValueOf(v1::BooleanEntitlement&& message) { return {.feature = FeatureIn(message)}; }

NumericEntitlement ValueOf(v1::NumericEntitlement&& message) {
  NumericEntitlement value{.feature = FeatureIn(message), .is_unlimited = message.is_unlimited()};
  if (message.has_value()) value.value = message.value();
  return value;
}

MeteredEntitlement ValueOf(v1::MeteredEntitlement&& message) {
  MeteredEntitlement value{.feature = FeatureIn(message),
                           .is_unlimited = message.is_unlimited(),
                           .has_soft_limit = message.has_soft_limit(),
                           .current_usage = message.current_usage(),
                           .reset_period = static_cast<ResetPeriod>(message.reset_period())};
  if (message.has_usage_limit()) value.usage_limit = message.usage_limit();
  if (message.has_usage_period_anchor()) value.usage_period_anchor = TimeOf(message.usage_period_anchor());
  if (message.has_usage_period_start()) value.usage_period_start = TimeOf(message.usage_period_start());
  if (message.has_usage_period_end()) value.usage_period_end = TimeOf(message.usage_period_end());
  return value;
}

EnumEntitlement ValueOf(v1::EnumEntitlement&& message) {
  return {.feature = FeatureIn(message), .values = {message.enum_values().begin(), message.enum_values().end()}};
}

CreditEntitlement ValueOf(v1::CreditEntitlement&& message) {
  v1::EntitlementCurrency& currency = *message.mutable_currency();
  CreditEntitlement value{.currency = {.id = std::move(*currency.mutable_currency_id()),
                                       .display_name = std::move(*currency.mutable_display_name()),
                                       .description = currency.description(),
                                       .unit_singular = currency.unit_singular(),
                                       .unit_plural = currency.unit_plural()},
                          .usage_limit = message.usage_limit(),
                          .current_usage = message.current_usage(),
                          .remaining = message.remaining(),
                          .has_soft_limit = message.has_soft_limit()};
  if (currency.has_additional_meta_data()) value.currency.metadata_json = JsonOf(currency.additional_meta_data());
  if (message.has_usage_period_end()) value.usage_period_end = TimeOf(message.usage_period_end());
  return value;
}

}  // namespace sdk
}  // namespace stigg::sidecar
