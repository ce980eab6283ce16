// ReportUsage, ReportUsageBulk and ReportEvents.
#include <utility>

#include "ids/new_id.h"
#include "service/failure_answer.h"
#include "service/read_path.h"
#include "service/validate.h"
#include "stigg/sidecar/v1/sidecar.pb.h"
#include "text/text.h"

namespace sidecar {
namespace {

namespace v1 = stigg::sidecar::v1;
using ProtoDimensions = google::protobuf::Map<std::string, v1::EventDimensionValue>;

constexpr std::string_view kUsagePrefix = "Failed to report usage: ";
constexpr std::string_view kEventsPrefix = "Failed to report events: ";

WallTime ToWallTime(const google::protobuf::Timestamp& timestamp) {
  return WallTimeFromEpochMs(timestamp.seconds() * 1000 + timestamp.nanos() / 1'000'000);
}

void SetTimestamp(WallTime time, google::protobuf::Timestamp& out) {
  const int64_t ms = ToEpochMs(time);
  const int64_t seconds = ms >= 0 ? ms / 1000 : (ms - 999) / 1000;
  out.set_seconds(seconds);
  out.set_nanos(static_cast<int32_t>((ms - seconds * 1000) * 1'000'000));
}

absl::Status CheckCount(std::string_view field, int count) {
  if (count <= kReportsMax) return absl::OkStatus();
  return InvalidArgument(field, ": ", count, " given; at most ", kReportsMax, " are accepted in one call");
}

absl::Status ReadDimensions(const std::string& prefix, const ProtoDimensions& in, Dimensions& out) {
  const std::string field = prefix + "dimensions";
  if (in.size() > kDimensionsMax) {
    return InvalidArgument(field, ": ", in.size(), " given; at most ", kDimensionsMax, " are accepted");
  }
  for (const auto& [name, value] : in) {
    SIDECAR_RETURN_IF_ERROR(CheckId(StrCat(field, " key"), name));
    switch (value.value_case()) {
      case v1::EventDimensionValue::kStringValue:
        out[name] = value.string_value();
        break;
      case v1::EventDimensionValue::kNumberValue:
        SIDECAR_RETURN_IF_ERROR(CheckFinite(StrCat(field, "[", name, "]"), value.number_value()));
        out[name] = value.number_value();
        break;
      case v1::EventDimensionValue::kBooleanValue:
        out[name] = value.boolean_value();
        break;
      case v1::EventDimensionValue::VALUE_NOT_SET:
        return absl::InvalidArgumentError(
            StrCat(field, "[", name, "]: has no value; expected string_value, number_value or boolean_value"));
    }
  }
  return absl::OkStatus();
}

/// `prefix` is put before field names, e.g. "usages[2].".
absl::Status ReadUsage(const std::string& prefix, const v1::ReportUsageRequest& in, UsageReport& out) {
  SIDECAR_RETURN_IF_ERROR(CheckId(prefix + "customer_id", in.customer_id()));
  SIDECAR_RETURN_IF_ERROR(CheckOptionalId(prefix + "resource_id", in.resource_id()));
  SIDECAR_RETURN_IF_ERROR(CheckId(prefix + "feature_id", in.feature_id()));
  SIDECAR_RETURN_IF_ERROR(CheckFinite(prefix + "value", in.value()));
  switch (in.update_behavior()) {
    case v1::USAGE_UPDATE_BEHAVIOR_UNSPECIFIED:
      out.update = UsageUpdate::kUnspecified;
      break;
    case v1::USAGE_UPDATE_BEHAVIOR_DELTA:
      out.update = UsageUpdate::kDelta;
      break;
    case v1::USAGE_UPDATE_BEHAVIOR_SET:
      out.update = UsageUpdate::kSet;
      if (in.value() < 0) {
        return absl::InvalidArgumentError(
            StrCat(prefix, "value: is ", in.value(), "; expected 0 or more with USAGE_UPDATE_BEHAVIOR_SET"));
      }
      break;
    default:
      return InvalidArgument(prefix, "update_behavior: is ", in.update_behavior(),
                             "; expected USAGE_UPDATE_BEHAVIOR_DELTA or _SET");
  }
  SIDECAR_RETURN_IF_ERROR(ReadDimensions(prefix, in.dimensions(), out.dimensions));
  if (in.has_timestamp()) {
    SIDECAR_RETURN_IF_ERROR(CheckTimestamp(prefix + "timestamp", in.timestamp()));
    out.created_at = ToWallTime(in.timestamp());
  }
  out.key = EntityKey(in.customer_id(), in.resource_id());
  out.feature_id = in.feature_id();
  out.value = in.value();
  out.idempotency_key = NewUuid();
  return absl::OkStatus();
}

void WriteReceipt(const UsageReceipt& receipt, v1::ReportUsageResponse& out) {
  out.set_measurement_id(receipt.measurement_id);
  out.set_customer_id(receipt.key.customer_id);
  if (!receipt.key.resource_id.empty()) out.set_resource_id(receipt.key.resource_id);
  out.set_feature_id(receipt.feature_id);
  if (receipt.current_usage.has_value()) out.set_current_usage(*receipt.current_usage);
  if (receipt.period_start.has_value()) SetTimestamp(*receipt.period_start, *out.mutable_usage_period_start());
  if (receipt.period_end.has_value()) SetTimestamp(*receipt.period_end, *out.mutable_usage_period_end());
}

class ReportHandlers {
 public:
  explicit ReportHandlers(const ServiceContext& context) : context_(context) {}

  void ReportUsage(Call& call) const {
    v1::ReportUsageRequest request;
    std::vector<UsageReport> reports(1);
    absl::Status status = ParseRequest(call.request(), request);
    if (status.ok()) status = ReadUsage("", request, reports[0]);
    if (!status.ok()) return Reject(call, status);
    const auto answer = [&call](const ReportOutcome& outcome) {
      if (outcome.failure.has_value()) return FailReport(call, kUsagePrefix, outcome);
      v1::ReportUsageResponse response;
      WriteReceipt(outcome.receipts.front(), response);
      call.Finish(response.SerializeAsString(), {.durable = outcome.durable});
    };
    context_.reporter.ReportUsage(std::move(reports), Deadline(call), answer, DurabilityFor(call));
  }

  void ReportUsageBulk(Call& call) const {
    v1::ReportUsageBulkRequest request;
    std::vector<UsageReport> reports;
    absl::Status status = ParseRequest(call.request(), request);
    if (status.ok()) status = CheckCount("usages", request.usages_size());
    if (status.ok()) reports.resize(static_cast<size_t>(request.usages_size()));
    for (int i = 0; i < request.usages_size() && status.ok(); ++i) {
      status = ReadUsage(StrCat("usages[", i, "]."), request.usages(i), reports[static_cast<size_t>(i)]);
    }
    if (!status.ok()) return Reject(call, status);
    const auto answer = [&call](const ReportOutcome& outcome) {
      if (outcome.failure.has_value()) return FailReport(call, kUsagePrefix, outcome);
      v1::ReportUsageBulkResponse response;
      for (const UsageReceipt& receipt : outcome.receipts) WriteReceipt(receipt, *response.add_usages());
      call.Finish(response.SerializeAsString(), {.durable = outcome.durable});
    };
    context_.reporter.ReportUsage(std::move(reports), Deadline(call), answer, DurabilityFor(call));
  }

  void ReportEvents(Call& call) const {
    v1::ReportEventsRequest request;
    std::vector<UsageEvent> events;
    absl::Status status = ParseRequest(call.request(), request);
    if (status.ok()) status = CheckCount("events", request.events_size());
    if (status.ok()) events.resize(static_cast<size_t>(request.events_size()));
    for (int i = 0; i < request.events_size() && status.ok(); ++i) {
      status = ReadEvent(StrCat("events[", i, "]."), request.events(i), events[static_cast<size_t>(i)]);
    }
    if (!status.ok()) return Reject(call, status);
    context_.reporter.ReportEvents(std::move(events), Deadline(call), [&call](const ReportOutcome& outcome) {
      if (outcome.failure.has_value()) return FailReport(call, kEventsPrefix, outcome);
      call.Finish("", {.durable = outcome.durable});
    });
  }

 private:
  static absl::Status ReadEvent(const std::string& prefix, const v1::Event& in, UsageEvent& out) {
    SIDECAR_RETURN_IF_ERROR(CheckId(prefix + "event_name", in.event_name()));
    SIDECAR_RETURN_IF_ERROR(CheckId(prefix + "customer_id", in.customer_id()));
    SIDECAR_RETURN_IF_ERROR(CheckId(prefix + "idempotency_key", in.idempotency_key()));
    SIDECAR_RETURN_IF_ERROR(CheckOptionalId(prefix + "resource_id", in.resource_id()));
    SIDECAR_RETURN_IF_ERROR(ReadDimensions(prefix, in.dimensions(), out.dimensions));
    if (in.has_timestamp()) {
      SIDECAR_RETURN_IF_ERROR(CheckTimestamp(prefix + "timestamp", in.timestamp()));
      out.timestamp = ToWallTime(in.timestamp());
    }
    out.event_name = in.event_name();
    out.key = EntityKey(in.customer_id(), in.resource_id());
    out.idempotency_key = in.idempotency_key();
    return absl::OkStatus();
  }

  MonoTime Deadline(Call& call) const { return AnswerBy(call, context_.clock.Now(), context_.settings.report_timeout); }

  Durability DurabilityFor(Call& call) const {
    const bool accepts = context_.settings.spool_usage || call.Metadata("x-accept-durable") == "1";
    return accepts ? Durability::kSpoolOnFailure : Durability::kUpstreamOnly;
  }

  void Reject(Call& call, const absl::Status& status) const {
    context_.metrics.rejected_requests.Add();
    call.Fail(status, {});
  }

  const ServiceContext context_;
};

}  // namespace

void AddReportHandlers(const ServiceContext& context, Handlers& handlers) {
  const auto shared = std::make_shared<const ReportHandlers>(context);
  const auto at = [&](Method method) -> Handler& { return handlers[static_cast<size_t>(method)]; };
  at(Method::kReportUsage) = [shared](Call& call) { shared->ReportUsage(call); };
  at(Method::kReportUsageBulk) = [shared](Call& call) { shared->ReportUsageBulk(call); };
  at(Method::kReportEvents) = [shared](Call& call) { shared->ReportEvents(call); };
}

}  // namespace sidecar
