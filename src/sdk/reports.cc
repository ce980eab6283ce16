// The reports and the reload of rpcs.h.
#include <utility>

#include "sdk/rpcs.h"
#include "sdk/values.h"

namespace stigg::sidecar::sdk {
namespace {

using WireDimensions = google::protobuf::Map<std::string, v1::EventDimensionValue>;

void WriteDimensions(const Dimensions& dimensions, WireDimensions& out) {
  for (const auto& [name, value] : dimensions) {
    v1::EventDimensionValue& written = out[name];
    if (const auto* const text = std::get_if<std::string>(&value)) written.set_string_value(*text);
    if (const auto* const number = std::get_if<double>(&value)) written.set_number_value(*number);
    if (const auto* const yes = std::get_if<bool>(&value)) written.set_boolean_value(*yes);
  }
}

}  // namespace

void UsageRpc::Write(const Question& report, Request& request) {
  request.set_customer_id(report.customer_id);
  request.set_feature_id(report.feature_id);
  if (!report.resource_id.empty()) request.set_resource_id(report.resource_id);
  request.set_value(report.value);
  request.set_update_behavior(report.update == UsageUpdate::kSet ? v1::USAGE_UPDATE_BEHAVIOR_SET
                                                                 : v1::USAGE_UPDATE_BEHAVIOR_DELTA);
  WriteDimensions(report.dimensions, *request.mutable_dimensions());
  if (report.timestamp.has_value()) WriteTime(*report.timestamp, *request.mutable_timestamp());
}

UsageReceipt UsageRpc::Read(Response&& response) {
  UsageReceipt receipt{.measurement_id = std::move(*response.mutable_measurement_id()),
                       .customer_id = std::move(*response.mutable_customer_id()),
                       .resource_id = response.resource_id(),
                       .feature_id = std::move(*response.mutable_feature_id())};
  if (response.has_current_usage()) receipt.current_usage = response.current_usage();
  if (response.has_usage_period_start()) receipt.usage_period_start = TimeOf(response.usage_period_start());
  if (response.has_usage_period_end()) receipt.usage_period_end = TimeOf(response.usage_period_end());
  return receipt;
}

void UsageBulkRpc::Write(const Question& reports, Request& request) {
  for (const UsageReport& report : reports) UsageRpc::Write(report, *request.add_usages());
}

std::vector<UsageReceipt> UsageBulkRpc::Read(Response&& response) {
  std::vector<UsageReceipt> receipts;
  receipts.reserve(static_cast<size_t>(response.usages_size()));
  for (v1::ReportUsageResponse& usage : *response.mutable_usages())
    receipts.push_back(UsageRpc::Read(std::move(usage)));
  return receipts;
}

void EventsRpc::Write(const Question& events, Request& request) {
  for (const Event& event : events) {
    v1::Event& out = *request.add_events();
    out.set_event_name(event.event_name);
    out.set_customer_id(event.customer_id);
    out.set_idempotency_key(event.idempotency_key);
    if (!event.resource_id.empty()) out.set_resource_id(event.resource_id);
    WriteDimensions(event.dimensions, *out.mutable_dimensions());
    if (event.timestamp.has_value()) WriteTime(*event.timestamp, *out.mutable_timestamp());
  }
}

void ReloadRpc::Write(const Question& subject, Request& request) {
  request.set_customer_id(subject.customer_id);
  if (!subject.resource_id.empty()) request.set_resource_id(subject.resource_id);
}

}  // namespace stigg::sidecar::sdk
