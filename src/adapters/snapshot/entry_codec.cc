#include "adapters/snapshot/entry_codec.h"

#include <optional>

namespace sidecar::snapshot {
namespace {

namespace pb = stigg::sidecar::snapshot;

/// The enumerator with that number, or `otherwise` when this daemon does not know it.
template <typename Enum>
Enum EnumOf(uint32_t number, Enum last, Enum otherwise) {
  return number <= static_cast<uint32_t>(last) ? static_cast<Enum>(number) : otherwise;
}

DeniedReason ReasonOf(uint32_t number) {
  return EnumOf(number, DeniedReason::kEntitlementNotFound, DeniedReason::kUnknown);
}

bool Parse(std::string_view payload, google::protobuf::MessageLite& message) {
  return message.ParseFromArray(payload.data(), static_cast<int>(payload.size()));
}

std::string TextOf(const google::protobuf::MessageLite& message) { return message.SerializeAsString(); }

#define SET_OPTIONAL_TIME(message, field, time) \
  if ((time).has_value()) (message)->set_##field(ToEpochMs(*(time)))
#define OPTIONAL_TIME(message, field) \
  ((message).has_##field() ? std::optional(WallTimeFromEpochMs((message).field())) : std::nullopt)

void Fill(const FeatureEntitlement& from, pb::Feature* to) {
  to->set_denied_reason(static_cast<uint32_t>(from.denied_reason));
  if (from.usage_limit.has_value()) to->set_usage_limit(*from.usage_limit);
  to->set_unlimited(from.unlimited);
  to->set_soft_limit(from.soft_limit);
  to->set_current_usage(from.current_usage);
  for (const std::string& value : from.enum_values) to->add_enum_values(value);
  to->set_reset(static_cast<uint32_t>(from.period.reset));
  to->set_reset_anchor(static_cast<uint32_t>(from.period.reset_anchor));
  SET_OPTIONAL_TIME(to, anchor_ms, from.period.anchor);
  SET_OPTIONAL_TIME(to, start_ms, from.period.start);
  SET_OPTIONAL_TIME(to, end_ms, from.period.end);
  SET_OPTIONAL_TIME(to, usage_updated_at_ms, from.usage_updated_at);
  SET_OPTIONAL_TIME(to, valid_until_ms, from.valid_until);
  if (from.credit_rate.has_value()) {
    to->mutable_credit_rate()->set_amount(from.credit_rate->amount);
    to->mutable_credit_rate()->set_currency_id(from.credit_rate->currency_id);
  }
}

void Fill(const pb::Feature& from, FeatureEntitlement& to) {
  to.denied_reason = ReasonOf(from.denied_reason());
  to.usage_limit = from.has_usage_limit() ? std::optional(from.usage_limit()) : std::nullopt;
  to.unlimited = from.unlimited();
  to.soft_limit = from.soft_limit();
  to.current_usage = from.current_usage();
  to.enum_values.assign(from.enum_values().begin(), from.enum_values().end());
  to.period = {.reset = EnumOf(from.reset(), ResetPeriod::kYear, ResetPeriod::kNone),
               .reset_anchor = EnumOf(from.reset_anchor(), ResetAnchor::kYearSubscriptionStart, ResetAnchor::kNone),
               .anchor = OPTIONAL_TIME(from, anchor_ms),
               .start = OPTIONAL_TIME(from, start_ms),
               .end = OPTIONAL_TIME(from, end_ms)};
  to.usage_updated_at = OPTIONAL_TIME(from, usage_updated_at_ms);
  to.valid_until = OPTIONAL_TIME(from, valid_until_ms);
  to.credit_rate.reset();
  if (from.has_credit_rate()) to.credit_rate = {from.credit_rate().amount(), from.credit_rate().currency_id()};
}

void Fill(const CreditEntitlement& from, pb::Credit* to) {
  to->set_denied_reason(static_cast<uint32_t>(from.denied_reason));
  to->set_usage_limit(from.usage_limit);
  to->set_current_usage(from.current_usage);
  to->set_soft_limit(from.soft_limit);
  SET_OPTIONAL_TIME(to, usage_period_end_ms, from.usage_period_end);
  SET_OPTIONAL_TIME(to, valid_until_ms, from.valid_until);
  SET_OPTIONAL_TIME(to, usage_updated_at_ms, from.usage_updated_at);
}

void Fill(const pb::Credit& from, CreditEntitlement& to) {
  to.denied_reason = ReasonOf(from.denied_reason());
  to.usage_limit = from.usage_limit();
  to.current_usage = from.current_usage();
  to.soft_limit = from.soft_limit();
  to.usage_period_end = OPTIONAL_TIME(from, usage_period_end_ms);
  to.valid_until = OPTIONAL_TIME(from, valid_until_ms);
  to.usage_updated_at = OPTIONAL_TIME(from, usage_updated_at_ms);
}

}  // namespace

uint32_t EntryEncoder::Index(const FeatureDefinition& definition, std::string& out) {
  const auto [it, is_new] = features_.try_emplace(definition, static_cast<uint32_t>(features_.size()));
  if (is_new) {
    pb::FeatureDefinition message;
    message.set_id(definition.id);
    message.set_type(static_cast<uint32_t>(definition.type));
    message.set_meter(static_cast<uint32_t>(definition.meter));
    message.set_units(definition.units);
    message.set_units_plural(definition.units_plural);
    AppendFrame(out, FrameKind::kFeature, TextOf(message));
  }
  return it->second;
}

uint32_t EntryEncoder::Index(const CurrencyDefinition& definition, std::string& out) {
  const auto [it, is_new] = currencies_.try_emplace(definition, static_cast<uint32_t>(currencies_.size()));
  if (is_new) {
    pb::CurrencyDefinition message;
    message.set_id(definition.id);
    message.set_display_name(definition.display_name);
    if (definition.description.has_value()) message.set_description(*definition.description);
    if (definition.unit_singular.has_value()) message.set_unit_singular(*definition.unit_singular);
    if (definition.unit_plural.has_value()) message.set_unit_plural(*definition.unit_plural);
    message.set_additional_meta_data_json(definition.additional_meta_data_json);
    AppendFrame(out, FrameKind::kCurrency, TextOf(message));
  }
  return it->second;
}

bool EntryEncoder::Append(const SnapshotEntry& entry, std::string& out) {
  message_.Clear();
  message_.set_customer_id(entry.key.customer_id);
  message_.set_resource_id(entry.key.resource_id);
  message_.set_fetched_at_ms(ToEpochMs(entry.fetched_at));
  message_.set_current_at_ms(ToEpochMs(entry.current_at));
  SET_OPTIONAL_TIME(&message_, changed_at_ms, entry.changed_at);
  message_.set_denied_reason(static_cast<uint32_t>(entry.entitlements.denied_reason));
  SET_OPTIONAL_TIME(&message_, updated_at_ms, entry.entitlements.updated_at);
  for (const FeatureEntitlement& feature : entry.entitlements.features) {
    pb::Feature* const added = message_.add_features();
    Fill(feature, added);
    added->set_definition(Index(feature.feature, out));
  }
  for (const CreditEntitlement& credit : entry.entitlements.credits) {
    pb::Credit* const added = message_.add_credits();
    Fill(credit, added);
    added->set_definition(Index(credit.currency, out));
  }
  payload_.clear();
  if (message_.ByteSizeLong() > kPayloadBytesMax || !message_.AppendToString(&payload_)) return false;
  AppendFrame(out, entry.hot ? FrameKind::kHotRecord : FrameKind::kColdRecord, payload_);
  return true;
}

bool EntryDecoder::AddFeature(std::string_view payload) {
  pb::FeatureDefinition message;
  if (!Parse(payload, message)) return false;
  features_.push_back({.id = message.id(),
                       .type = EnumOf(message.type(), FeatureType::kEnum, FeatureType::kUnspecified),
                       .meter = EnumOf(message.meter(), MeterType::kIncremental, MeterType::kUnspecified),
                       .units = message.units(),
                       .units_plural = message.units_plural()});
  return true;
}

bool EntryDecoder::AddCurrency(std::string_view payload) {
  pb::CurrencyDefinition message;
  if (!Parse(payload, message)) return false;
  CurrencyDefinition& added = currencies_.emplace_back();
  added.id = message.id();
  added.display_name = message.display_name();
  if (message.has_description()) added.description = message.description();
  if (message.has_unit_singular()) added.unit_singular = message.unit_singular();
  if (message.has_unit_plural()) added.unit_plural = message.unit_plural();
  added.additional_meta_data_json = message.additional_meta_data_json();
  return true;
}

const SnapshotEntry* EntryDecoder::Decode(std::string_view payload, bool hot) {
  if (!Parse(payload, message_)) return nullptr;
  entry_.key.customer_id = message_.customer_id();
  entry_.key.resource_id = message_.resource_id();
  entry_.fetched_at = WallTimeFromEpochMs(message_.fetched_at_ms());
  entry_.current_at = WallTimeFromEpochMs(message_.current_at_ms());
  entry_.changed_at = OPTIONAL_TIME(message_, changed_at_ms);
  entry_.hot = hot;
  CustomerEntitlements& value = entry_.entitlements;
  value.denied_reason = ReasonOf(message_.denied_reason());
  value.updated_at = OPTIONAL_TIME(message_, updated_at_ms);
  // Resized, not cleared: texts keep their memory from one record to the next.
  value.features.resize(static_cast<size_t>(message_.features_size()));
  for (size_t i = 0; i < value.features.size(); ++i) {
    const pb::Feature& feature = message_.features(static_cast<int>(i));
    if (feature.definition() >= features_.size()) return nullptr;
    value.features[i].feature = features_[feature.definition()];
    Fill(feature, value.features[i]);
  }
  value.credits.resize(static_cast<size_t>(message_.credits_size()));
  for (size_t i = 0; i < value.credits.size(); ++i) {
    const pb::Credit& credit = message_.credits(static_cast<int>(i));
    if (credit.definition() >= currencies_.size()) return nullptr;
    value.credits[i].currency = currencies_[credit.definition()];
    Fill(credit, value.credits[i]);
  }
  return &entry_;
}

#undef SET_OPTIONAL_TIME
#undef OPTIONAL_TIME

}  // namespace sidecar::snapshot
