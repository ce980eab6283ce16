#include "recording/event_codec.h"

namespace sidecar::recording {

#define SET_OPTIONAL_TIME(message, field, time) \
  if ((time).has_value()) (message)->set_##field(ToEpochMs(*(time)))
#define OPTIONAL_TIME(message, field)                                                                           \
  ((message).has_##field() && IsTime((message).field()) ? std::optional(WallTimeFromEpochMs((message).field())) \
                                                        : std::nullopt)
#define OPTIONAL(message, field) ((message).has_##field() ? std::optional((message).field()) : std::nullopt)

void Write(const EntityKey& key, pb::Key* out) {
  out->set_customer_id(key.customer_id);
  out->set_resource_id(key.resource_id);
}

EntityKey Read(const pb::Key& key) { return {key.customer_id(), key.resource_id()}; }

void Write(const UpstreamFailure& failure, pb::Failure* out) {
  out->set_code(static_cast<uint32_t>(failure.status.code()));
  out->set_upstream_code(failure.upstream_code);
  out->set_http_status(static_cast<uint32_t>(failure.http_status));
  if (failure.retry_after.has_value()) out->set_retry_after_ms(failure.retry_after->count());
  out->set_surely_not_processed(failure.surely_not_processed);
  out->set_safe_to_repeat(failure.safe_to_repeat);
  out->set_invalid_key(failure.invalid_key);
  out->set_transient(failure.transient);
}

UpstreamFailure Read(const pb::Failure& failure) {
  // A failure without a code is of a file that no daemon wrote.
  const auto code = failure.code() == 0 ? absl::StatusCode::kUnknown : static_cast<absl::StatusCode>(failure.code());
  UpstreamFailure read{.status = absl::Status(code, "as recorded"),
                       .upstream_code = failure.upstream_code(),
                       .http_status = static_cast<int>(failure.http_status()),
                       .surely_not_processed = failure.surely_not_processed(),
                       .safe_to_repeat = failure.safe_to_repeat(),
                       .invalid_key = failure.invalid_key(),
                       .transient = failure.transient()};
  if (failure.has_retry_after_ms() && IsTime(failure.retry_after_ms()))
    read.retry_after = Millis(failure.retry_after_ms());
  return read;
}

void Write(const UsageReceipt& receipt, const Redaction& redaction, pb::Receipt* out) {
  out->set_measurement_id(redaction.Id(receipt.measurement_id));
  Write(redaction.Key(receipt.key.view()), out->mutable_key());
  out->set_feature_id(receipt.feature_id);
  if (receipt.current_usage.has_value()) out->set_current_usage(*receipt.current_usage);
  SET_OPTIONAL_TIME(out, period_start_ms, receipt.period_start);
  SET_OPTIONAL_TIME(out, period_end_ms, receipt.period_end);
  SET_OPTIONAL_TIME(out, timestamp_ms, receipt.timestamp);
  if (!receipt.credit.has_value()) return;
  pb::Receipt::Credit* const credit = out->mutable_credit();
  credit->set_currency_id(receipt.credit->currency_id);
  credit->set_current_usage(receipt.credit->current_usage);
  SET_OPTIONAL_TIME(credit, usage_period_end_ms, receipt.credit->usage_period_end);
  SET_OPTIONAL_TIME(credit, timestamp_ms, receipt.credit->timestamp);
}

UsageReceipt Read(const pb::Receipt& receipt) {
  UsageReceipt read{.measurement_id = receipt.measurement_id(),
                    .key = Read(receipt.key()),
                    .feature_id = receipt.feature_id(),
                    .current_usage = OPTIONAL(receipt, current_usage),
                    .period_start = OPTIONAL_TIME(receipt, period_start_ms),
                    .period_end = OPTIONAL_TIME(receipt, period_end_ms),
                    .timestamp = OPTIONAL_TIME(receipt, timestamp_ms)};
  if (receipt.has_credit()) {
    read.credit = UsageReceipt::Credit{.currency_id = receipt.credit().currency_id(),
                                       .current_usage = receipt.credit().current_usage(),
                                       .usage_period_end = OPTIONAL_TIME(receipt.credit(), usage_period_end_ms),
                                       .timestamp = OPTIONAL_TIME(receipt.credit(), timestamp_ms)};
  }
  return read;
}

void Write(const UsagePush& push, const Redaction& redaction, pb::UsagePush* out) {
  Write(redaction.Key(push.key.view()), out->mutable_key());
  out->set_id(push.id);
  out->set_credit(push.credit);
  out->set_current_usage(push.current_usage);
  SET_OPTIONAL_TIME(out, period_start_ms, push.period_start);
  SET_OPTIONAL_TIME(out, period_end_ms, push.period_end);
  SET_OPTIONAL_TIME(out, updated_at_ms, push.updated_at);
}

UsagePush Read(const pb::UsagePush& push) {
  return {.key = Read(push.key()),
          .id = push.id(),
          .credit = push.credit(),
          .current_usage = push.current_usage(),
          .period_start = OPTIONAL_TIME(push, period_start_ms),
          .period_end = OPTIONAL_TIME(push, period_end_ms),
          .updated_at = OPTIONAL_TIME(push, updated_at_ms)};
}

void Write(const BalancePush& push, const Redaction& redaction, pb::BalancePush* out) {
  Write(redaction.Key(push.key.view()), out->mutable_key());
  out->set_currency_id(push.currency_id);
  out->set_balance(push.balance);
  SET_OPTIONAL_TIME(out, valid_until_ms, push.valid_until);
}

BalancePush Read(const pb::BalancePush& push) {
  return {.key = Read(push.key()),
          .currency_id = push.currency_id(),
          .balance = push.balance(),
          .valid_until = OPTIONAL_TIME(push, valid_until_ms)};
}

void Write(const FallbackTable& table, pb::Header* out) {
  for (const FallbackTable::Entry& entry : table.entries()) {
    pb::Fallback* const fallback = out->add_fallbacks();
    fallback->set_feature_id(entry.feature_id);
    fallback->set_has_access(entry.value.has_access);
    if (entry.value.value.has_value()) fallback->set_value(*entry.value.value);
    if (entry.value.usage_limit.has_value()) fallback->set_usage_limit(*entry.value.usage_limit);
    if (entry.value.unlimited.has_value()) fallback->set_unlimited(*entry.value.unlimited);
    fallback->set_has_enum_values(entry.value.enum_values.has_value());
    if (!entry.value.enum_values.has_value()) continue;
    for (const std::string& value : *entry.value.enum_values) fallback->add_enum_values(value);
  }
}

FallbackTable ReadFallbacks(const pb::Header& header) {
  FallbackTable table;
  for (const pb::Fallback& fallback : header.fallbacks()) {
    FallbackValue value{.has_access = fallback.has_access(),
                        .value = OPTIONAL(fallback, value),
                        .usage_limit = OPTIONAL(fallback, usage_limit),
                        .unlimited = OPTIONAL(fallback, unlimited)};
    if (fallback.has_enum_values()) {
      value.enum_values.emplace(fallback.enum_values().begin(), fallback.enum_values().end());
    }
    table.Add(fallback.feature_id(), std::move(value));
  }
  return table;
}

#undef SET_OPTIONAL_TIME
#undef OPTIONAL_TIME
#undef OPTIONAL

}  // namespace sidecar::recording
