#include "adapters/spool/spool_codec.h"

#include <utility>

#include "adapters/json/json.h"
#include "text/text.h"

namespace sidecar {
namespace {

// Members are named as in docs/protocol.md section 2.2. Dates are ms since the epoch.
constexpr char kCustomer[] = "customerId";
constexpr char kResource[] = "resourceId";
constexpr char kKey[] = "idempotencyKey";
constexpr char kDimensions[] = "dimensions";
constexpr char kFeature[] = "featureId";
constexpr char kValue[] = "value";
constexpr char kUpdate[] = "updateBehavior";
constexpr char kCreatedAt[] = "createdAt";
constexpr char kEvent[] = "eventName";
constexpr char kTimestamp[] = "timestamp";

Json EncodeCommon(const EntityKey& key, const std::string& idempotency_key, const Dimensions& dimensions) {
  Json out = {{kCustomer, key.customer_id}, {kKey, idempotency_key}};
  if (!key.resource_id.empty()) out[kResource] = key.resource_id;
  if (!dimensions.empty()) {
    Json& members = out[kDimensions] = Json::object();
    for (const auto& [name, value] : dimensions) {
      std::visit([&, &member = name](const auto& v) { members[member] = v; }, value);
    }
  }
  return out;
}

Json Encode(const UsageReport& report) {
  Json out = EncodeCommon(report.key, report.idempotency_key, report.dimensions);
  out[kFeature] = report.feature_id;
  out[kValue] = report.value;
  if (report.update != UsageUpdate::kUnspecified) out[kUpdate] = report.update == UsageUpdate::kSet ? "SET" : "DELTA";
  if (report.created_at.has_value()) out[kCreatedAt] = ToEpochMs(*report.created_at);
  return out;
}

Json Encode(const UsageEvent& event) {
  Json out = EncodeCommon(event.key, event.idempotency_key, event.dimensions);
  out[kEvent] = event.event_name;
  if (event.timestamp.has_value()) out[kTimestamp] = ToEpochMs(*event.timestamp);
  return out;
}

Dimensions DecodeDimensions(JsonObject& reader) {
  Dimensions out;
  const Json* const members = reader.Object(kDimensions);
  if (members == nullptr) return out;
  for (const auto& [name, value] : members->items()) {
    if (value.is_string()) {
      out[name] = value.get<std::string>();
    } else if (value.is_boolean()) {
      out[name] = value.get<bool>();
    } else if (value.is_number()) {
      out[name] = value.get<double>();
    } else {
      reader.Fail(kDimensions, StrCat("has a member that is ", JsonTypeName(value)));
    }
  }
  return out;
}

UsageReport DecodeUsage(JsonObject& reader) {
  UsageReport report{.key = {reader.TextOrEmpty(kCustomer), reader.TextOrEmpty(kResource)},
                     .feature_id = reader.TextOrEmpty(kFeature),
                     .dimensions = DecodeDimensions(reader),
                     .created_at = reader.Date(kCreatedAt),
                     .idempotency_key = reader.TextOrEmpty(kKey)};
  const std::optional<double> value = reader.Number(kValue);
  if (!value.has_value()) reader.Fail(kValue, "is missing");
  report.value = value.value_or(0);
  const std::string update = reader.TextOrEmpty(kUpdate);
  if (update == "SET") report.update = UsageUpdate::kSet;
  if (update == "DELTA") report.update = UsageUpdate::kDelta;
  if (report.feature_id.empty()) reader.Fail(kFeature, "is missing");
  return report;
}

UsageEvent DecodeEvent(JsonObject& reader) {
  UsageEvent event{.event_name = reader.TextOrEmpty(kEvent),
                   .key = {reader.TextOrEmpty(kCustomer), reader.TextOrEmpty(kResource)},
                   .idempotency_key = reader.TextOrEmpty(kKey),
                   .dimensions = DecodeDimensions(reader),
                   .timestamp = reader.Date(kTimestamp)};
  if (event.event_name.empty()) reader.Fail(kEvent, "is missing");
  return event;
}

}  // namespace

std::string EncodeSpoolItem(const SpoolItem& item) {
  const Json out = std::visit([](const auto& report) { return Encode(report); }, item);
  return Dump(out);
}

absl::StatusOr<SpoolItem> DecodeSpoolItem(SpoolKind kind, std::string_view text) {
  const absl::StatusOr<Json> json = ParseJson(text);
  if (!json.ok()) return json.status();
  absl::Status error;
  JsonObject reader(*json, "record", error);
  SpoolItem item;
  if (kind == SpoolKind::kUsage) {
    item = DecodeUsage(reader);
  } else {
    item = DecodeEvent(reader);
  }
  // Without these nobody may be charged.
  if (reader.TextOrEmpty(kCustomer).empty()) reader.Fail(kCustomer, "is missing");
  if (reader.TextOrEmpty(kKey).empty()) reader.Fail(kKey, "is missing");
  if (!error.ok()) return error;
  return item;
}

std::string_view Name(SpoolKind kind) { return kind == SpoolKind::kUsage ? "usage" : "event"; }

}  // namespace sidecar
