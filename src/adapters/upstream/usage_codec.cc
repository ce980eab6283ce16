#include "adapters/upstream/usage_codec.h"

#include <utility>

namespace sidecar {
namespace {

Json EncodeDimensions(const Dimensions& dimensions) {
  Json out = Json::object();
  for (const auto& [name, value] : dimensions) {
    std::visit([&, &key = name](const auto& v) { out[key] = v; }, value);
  }
  return out;
}

}  // namespace

Json EncodeUsage(const UsageReport& report, Generation generation) {
  Json out = {{"featureId", report.feature_id}, {"customerId", report.key.customer_id}, {"value", report.value}};
  if (!report.key.resource_id.empty()) out["resourceId"] = report.key.resource_id;
  if (report.update != UsageUpdate::kUnspecified) {
    out["updateBehavior"] = report.update == UsageUpdate::kSet ? "SET" : "DELTA";
  }
  if (report.created_at.has_value()) out["createdAt"] = FormatDate(*report.created_at);
  if (!report.dimensions.empty()) out["dimensions"] = EncodeDimensions(report.dimensions);
  if (generation == Generation::kV2 && !report.idempotency_key.empty()) {
    out["idempotencyKey"] = report.idempotency_key;
  }
  return out;
}

Json EncodeEvent(const UsageEvent& event) {
  Json out = {{"eventName", event.event_name},
              {"customerId", event.key.customer_id},
              {"idempotencyKey", event.idempotency_key}};
  if (!event.key.resource_id.empty()) out["resourceId"] = event.key.resource_id;
  if (!event.dimensions.empty()) out["dimensions"] = EncodeDimensions(event.dimensions);
  if (event.timestamp.has_value()) out["timestamp"] = FormatDate(*event.timestamp);
  return out;
}

absl::StatusOr<UsageReceipt> DecodeReceipt(const Json& measurement, std::string path) {
  absl::Status error;
  JsonObject reader(measurement, std::move(path), error);
  UsageReceipt receipt{.measurement_id = reader.TextOrEmpty("id"),
                       .key = {reader.TextOrEmpty("customerId"), reader.TextOrEmpty("resourceId")},
                       .feature_id = reader.TextOrEmpty("featureId"),
                       .current_usage = reader.Number("currentUsage"),
                       .period_start = reader.Date("usagePeriodStart"),
                       .period_end = reader.Date("usagePeriodEnd"),
                       .timestamp = reader.Date("timestamp")};
  if (const Json* const credit_json = reader.Object("credit")) {
    JsonObject credit(*credit_json, reader.PathOf("credit"), error);
    const std::optional<double> usage = credit.Number("currentUsage");
    if (usage.has_value()) {
      receipt.credit = UsageReceipt::Credit{.currency_id = credit.TextOrEmpty("currencyId"),
                                            .current_usage = *usage,
                                            .usage_period_end = credit.Date("usagePeriodEnd"),
                                            .timestamp = credit.Date("timestamp")};
    }
  }
  if (!error.ok()) return error;
  return receipt;
}

}  // namespace sidecar
