#include "adapters/upstream/graphql_usage_sink.h"

#include <utility>

#include "adapters/upstream/failure_mapping.h"
#include "adapters/upstream/usage_codec.h"
#include "text/text.h"

namespace sidecar {
namespace {

/// Upstream does not know the V2 form of the mutation, and so did not run it.
bool IsV2Unknown(const UpstreamFailure& failure) {
  return IsDocumentRejected(failure) ||
         (failure.upstream_code == "BAD_USER_INPUT" && Contains(Message(failure.status), "idempotencyKey"));
}

/// A failure after which the same report may be sent again without counting twice.
bool MayRepeat(Generation generation, const UpstreamFailure& failure) {
  return failure.surely_not_processed ? failure.transient : generation == Generation::kV2 && failure.transient;
}

}  // namespace

void GraphqlUsageSink::ReportUsage(std::vector<UsageReport> reports, MonoTime deadline, UsageDone done) {
  auto shared = std::make_shared<const std::vector<UsageReport>>(std::move(reports));
  const Generation first = generation_.Preferred(tools_.clock.Now());
  const bool may_fall_back = first == Generation::kV2 && generation_.MaySwitch();
  ReportWithRetries(first, shared, deadline,
                    [this, first, may_fall_back, shared, deadline,
                     done = std::move(done)](UpstreamResult<std::vector<UsageReceipt>> result) mutable {
                      if (!result.ok() && may_fall_back && IsV2Unknown(result.failure())) {
                        generation_.Settle(Generation::kV1, tools_.clock.Now());
                        return ReportWithRetries(Generation::kV1, shared, deadline, std::move(done));
                      }
                      if (result.ok()) generation_.Settle(first, tools_.clock.Now());
                      std::move(done)(std::move(result));
                    });
}

void GraphqlUsageSink::ReportWithRetries(Generation generation, const SharedReports& reports, MonoTime deadline,
                                         UsageDone done) {
  WithRetries<std::vector<UsageReceipt>>(
      tools_, retries_, deadline,
      [generation](const UpstreamFailure& failure) { return MayRepeat(generation, failure); },
      [this, generation, reports, deadline](UsageDone attempt_done) {
        ReportOnce(generation, reports, deadline, std::move(attempt_done));
      },
      std::move(done));
}

void GraphqlUsageSink::ReportOnce(Generation generation, const SharedReports& reports, MonoTime deadline,
                                  UsageDone done) {
  Json variables;
  if (reports->size() == 1) {
    variables = {{"input", EncodeUsage(reports->front(), generation)}};
  } else {
    Json usages = Json::array();
    for (const UsageReport& report : *reports) usages.push_back(EncodeUsage(report, generation));
    variables = {{"input", {{"usages", std::move(usages)}}}};
  }
  client_.Mutate(reports->size() == 1 ? ReportUsageOperation(generation) : ReportUsageBulkOperation(generation),
                 variables, deadline,
                 [this, generation, reports, done = std::move(done)](UpstreamResult<Json> data) mutable {
                   UpstreamResult<std::vector<UsageReceipt>> result =
                       data.ok() ? DecodeReceipts(data.value(), *reports) : data.failure();
                   if (!result.ok()) {
                     UpstreamFailure& failure = result.failure();
                     failure.safe_to_repeat = failure.surely_not_processed || generation == Generation::kV2;
                   }
                   std::move(done)(std::move(result));
                 });
}

UpstreamResult<std::vector<UsageReceipt>> GraphqlUsageSink::DecodeReceipts(const Json& data,
                                                                           const std::vector<UsageReport>& reports) {
  std::vector<UsageReceipt> receipts;
  absl::Status error;
  const auto decode = [&](const Json& measurement, std::string path) {
    absl::StatusOr<UsageReceipt> receipt = DecodeReceipt(measurement, std::move(path));
    if (!receipt.ok()) {
      if (error.ok()) error = receipt.status();
      return;
    }
    // Whom it is about the request says: old answers leave it out, and one that names the
    // customer without the resource would land on the wrong record.
    if (receipts.size() < reports.size()) {
      receipt->key = reports[receipts.size()].key;
      receipt->feature_id = reports[receipts.size()].feature_id;
    }
    receipts.push_back(*std::move(receipt));
  };
  if (reports.size() == 1 && data.contains("reportUsage")) {
    decode(data["reportUsage"], "data.reportUsage");
  } else if (data.contains("reportUsageBulk") && data["reportUsageBulk"].is_array()) {
    const Json& list = data["reportUsageBulk"];
    for (size_t i = 0; i < list.size(); ++i) decode(list[i], StrCat("data.reportUsageBulk[", i, "]"));
  }
  if (error.ok() && receipts.size() != reports.size()) {
    error = absl::InvalidArgumentError(StrCat("expected ", reports.size(), " measurements, got ", receipts.size()));
  }
  if (!error.ok()) {
    metrics_.malformed_responses.Add();
    return FailureFromBody(error);
  }
  return receipts;
}

void GraphqlUsageSink::ReportEvents(std::vector<UsageEvent> events, MonoTime deadline, EventsDone done) {
  Json list = Json::array();
  for (const UsageEvent& event : events) list.push_back(EncodeEvent(event));
  auto variables = std::make_shared<const Json>(Json{{"input", {{"usageEvents", std::move(list)}}}});
  WithRetries<std::monostate>(
      tools_, retries_, deadline, [](const UpstreamFailure& failure) { return failure.transient; },
      [this, variables, deadline](EventsDone attempt_done) {
        client_.Mutate(ReportEventOperation(), *variables, deadline,
                       [attempt_done = std::move(attempt_done)](UpstreamResult<Json> data) mutable {
                         if (!data.ok()) return std::move(attempt_done)(data.failure());
                         std::move(attempt_done)(std::monostate{});
                       });
      },
      std::move(done));
}

}  // namespace sidecar
