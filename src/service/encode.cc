#include "service/encode.h"

#include <cmath>
#include <limits>

#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/util/json_util.h"
#include "stigg/sidecar/v1/sidecar.pb.h"

namespace sidecar {
namespace {

void WriteTimestamp(uint32_t field, std::optional<WallTime> time, ReverseWriter& out) {
  if (!time.has_value()) return;
  const int64_t ms = ToEpochMs(*time);
  int64_t seconds = ms / 1000;
  int64_t rest_ms = ms % 1000;
  if (rest_ms == 0) return out.MessageOfVarint(field, static_cast<uint64_t>(seconds));
  const size_t mark = out.Mark();
  if (rest_ms < 0) {  // nanos count forward in time, before 1970 too
    rest_ms += 1000;
    --seconds;
  }
  out.Int(2, rest_ms * 1'000'000);
  if (seconds != 0) out.Int(1, seconds);
  out.CloseMessage(field, mark);
}

/// Field of the entitlement messages that holds the EntitlementFeature.
constexpr uint32_t kFeatureField = 4;

void WriteFeatureOf(const CheckAnswer& answer, ReverseWriter& out) {
  if (answer.feature != nullptr) {
    out.Bytes(kFeatureField, answer.feature->encoded_definition);
  } else if (!answer.listed_id.empty()) {
    const size_t mark = out.Mark();
    out.Bytes(1, answer.listed_id);
    out.CloseMessage(kFeatureField, mark);
  }
}

void WriteMetered(const CheckAnswer& answer, ReverseWriter& out) {
  if (answer.feature != nullptr) {
    const FeatureView& feature = *answer.feature;
    out.Bool(14, feature.soft_limit);
    WriteTimestamp(13, answer.usage.end, out);
    WriteTimestamp(12, answer.usage.start, out);
    WriteTimestamp(11, feature.period.anchor, out);
    WriteTimestamp(10, answer.usage.end, out);  // next_reset_date (section 13.7)
    out.Uint(9, static_cast<uint64_t>(feature.period.reset));
    if (answer.usage.current_usage != 0) out.Double(7, answer.usage.current_usage);
    if (feature.unlimited) out.Bool(6, true);
    if (feature.usage_limit.has_value()) out.Double(5, *feature.usage_limit);
    WriteFeatureOf(answer, out);
    return;
  }
  // Not entitled, or a fallback: docs/protocol.md sections 4.3 and 5.2.
  out.Bool(14, false);
  out.Uint(9, static_cast<uint64_t>(ResetPeriod::kNone));
  if (answer.fallback != nullptr) {
    if (answer.fallback->unlimited.value_or(false)) out.Bool(6, true);
    if (answer.fallback->usage_limit.has_value()) out.Double(5, *answer.fallback->usage_limit);
  }
  WriteFeatureOf(answer, out);
}

void WriteEnum(const CheckAnswer& answer, ReverseWriter& out) {
  if (answer.feature != nullptr) {
    const auto& values = answer.feature->enum_values;
    for (auto value = values.rbegin(); value != values.rend(); ++value) out.Bytes(5, *value);
  } else if (answer.fallback != nullptr && answer.fallback->enum_values.has_value()) {
    const auto& values = *answer.fallback->enum_values;
    for (auto value = values.rbegin(); value != values.rend(); ++value) out.Bytes(5, *value);
  }
  WriteFeatureOf(answer, out);
}

void WriteCredit(const CheckAnswer& answer, std::string_view currency_id, ReverseWriter& out) {
  if (answer.credit != nullptr) {
    const CreditView& credit = *answer.credit;
    if (credit.soft_limit) out.Bool(6, true);
    WriteTimestamp(5, credit.usage_period_end, out);
    if (credit.remaining() != 0) out.Double(4, credit.remaining());
    if (credit.current_usage != 0) out.Double(3, credit.current_usage);
    if (credit.usage_limit != 0) out.Double(2, credit.usage_limit);
    out.Bytes(1, credit.encoded_definition);
    return;
  }
  // A fallback of a credit: its limit, nothing used.
  const double limit = answer.fallback == nullptr ? 0 : answer.fallback->usage_limit.value_or(0);
  if (limit != 0) {
    out.Double(4, limit);
    out.Double(2, limit);
  }
  const size_t mark = out.Mark();
  out.Bytes(1, currency_id);
  out.CloseMessage(1, mark);
}

/// Places of boolean, numeric, metered and enum within a oneof.
uint32_t OffsetOf(EntitlementKind kind) {
  switch (kind) {
    case EntitlementKind::kBoolean:
      return 0;
    case EntitlementKind::kNumeric:
      return 1;
    case EntitlementKind::kMetered:
      return 2;
    default:
      return 3;
  }
}

constexpr uint32_t kCreditOffset = 4;

}  // namespace

void AnswerEncoder::WriteNumeric(const CheckAnswer& answer, ReverseWriter& out) const {
  constexpr double kMin = std::numeric_limits<int32_t>::min();
  constexpr double kMax = std::numeric_limits<int32_t>::max();
  const auto write_value = [&](std::optional<double> value) {
    if (!value.has_value()) return;
    // Section 13.7: clamped and counted, never wrapped; a fraction is cut off toward zero.
    const double whole = std::trunc(*value);
    if (whole < kMin || whole > kMax) metrics_.clamped_values.Add();
    out.Int(5, static_cast<int32_t>(std::fmin(std::fmax(whole, kMin), kMax)));
  };
  if (answer.feature != nullptr) {
    if (answer.feature->unlimited) out.Bool(6, true);
    write_value(answer.feature->usage_limit);
  } else if (answer.fallback != nullptr) {
    if (answer.fallback->unlimited.value_or(false)) out.Bool(6, true);
    write_value(answer.fallback->value);
  }
  WriteFeatureOf(answer, out);
}

void AnswerEncoder::WriteBody(const CheckAnswer& answer, const Check& check, uint32_t field, ReverseWriter& out) const {
  const size_t mark = out.Mark();
  if (answer.is_credit) {
    WriteCredit(answer, check.id, out);
  } else {
    switch (answer.kind) {
      case EntitlementKind::kBoolean:
        WriteFeatureOf(answer, out);
        break;
      case EntitlementKind::kNumeric:
        WriteNumeric(answer, out);
        break;
      case EntitlementKind::kMetered:
        WriteMetered(answer, out);
        break;
      case EntitlementKind::kEnum:
        WriteEnum(answer, out);
        break;
      case EntitlementKind::kUnknown:
        return;  // an answer without a body (section 13.12)
    }
  }
  out.CloseMessage(field, mark);
}

void AnswerEncoder::WriteCheck(const CheckAnswer& answer, const Check& check, const CheckResponseShape& shape,
                               ReverseWriter& out) const {
  const uint32_t field = shape.entitlement != 0
                             ? shape.entitlement
                             : shape.first_of_oneof + (answer.is_credit ? kCreditOffset : OffsetOf(answer.kind));
  WriteBody(answer, check, field, out);
  if (shape.requested_values != 0) {
    const auto& values = check.ask.requested_values;
    for (auto value = values.rbegin(); value != values.rend(); ++value) out.Bytes(shape.requested_values, *value);
  }
  if (shape.requested_usage != 0 && answer.requested_usage != 0) {
    out.Double(shape.requested_usage, answer.requested_usage);
  }
  if (answer.reason != DeniedReason::kNone) out.Uint(3, static_cast<uint64_t>(answer.reason));
  if (answer.is_fallback) out.Bool(2, true);
  if (answer.has_access) out.Bool(1, true);
}

void AnswerEncoder::WriteListElement(const CheckAnswer& answer, ReverseWriter& out) const {
  const size_t mark = out.Mark();
  WriteBody(answer, Check{}, 1 + OffsetOf(answer.kind), out);
  out.CloseMessage(1, mark);
}

std::string SerializeDeterministically(const google::protobuf::Message& message) {
  std::string out;
  google::protobuf::io::StringOutputStream stream(&out);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&coded);
  coded.Trim();
  return out;
}

std::string EncodeDefinition(const FeatureDefinition& feature) {
  stigg::sidecar::v1::EntitlementFeature message;
  message.set_id(feature.id);
  message.set_feature_type(static_cast<stigg::sidecar::v1::FeatureType>(feature.type));
  message.set_units(feature.units);
  message.set_units_plural(feature.units_plural);
  message.set_meter_type(static_cast<stigg::sidecar::v1::MeterType>(feature.meter));
  message.set_is_metered(KindOf(feature.type, feature.meter) == EntitlementKind::kMetered);
  return SerializeDeterministically(message);
}

std::string EncodeDefinition(const CurrencyDefinition& currency) {
  stigg::sidecar::v1::EntitlementCurrency message;
  message.set_currency_id(currency.id);
  message.set_display_name(currency.display_name);
  if (currency.description.has_value()) message.set_description(*currency.description);
  if (currency.unit_singular.has_value()) message.set_unit_singular(*currency.unit_singular);
  if (currency.unit_plural.has_value()) message.set_unit_plural(*currency.unit_plural);
  if (!currency.additional_meta_data_json.empty() &&
      !google::protobuf::util::JsonStringToMessage(currency.additional_meta_data_json,
                                                   message.mutable_additional_meta_data())
           .ok()) {
    message.clear_additional_meta_data();  // a nicety, no reason to lose the credit
  }
  return SerializeDeterministically(message);
}

}  // namespace sidecar
