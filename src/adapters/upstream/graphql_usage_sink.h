#pragma once

#include <memory>
#include <vector>

#include "adapters/upstream/generation.h"
#include "adapters/upstream/graphql_client.h"
#include "adapters/upstream/retry.h"
#include "ports/usage_sink.h"

namespace sidecar {

/// Usage and events to the GraphQL API. A usage report is repeated only when it surely was
/// not processed, or carries an idempotency key that upstream understands; events always
/// carry one. Source: design sections 7 and 9.
class GraphqlUsageSink : public UsageSink {
 public:
  GraphqlUsageSink(GraphqlClient& client, GenerationSetting generation, const RetryTools& tools,
                   const RetryPolicy& retries, Metrics& metrics)
      : client_(client),
        generation_("GraphQL writes", generation),
        tools_(tools),
        retries_(retries),
        metrics_(metrics) {}

  void ReportUsage(std::vector<UsageReport> reports, MonoTime deadline, UsageDone done) override;
  void ReportEvents(std::vector<UsageEvent> events, MonoTime deadline, EventsDone done) override;

 private:
  using SharedReports = std::shared_ptr<const std::vector<UsageReport>>;

  void ReportWithRetries(Generation generation, const SharedReports& reports, MonoTime deadline, UsageDone done);
  void ReportOnce(Generation generation, const SharedReports& reports, MonoTime deadline, UsageDone done);
  UpstreamResult<std::vector<UsageReceipt>> DecodeReceipts(const Json& data, const std::vector<UsageReport>& reports);

  GraphqlClient& client_;
  GenerationChoice generation_;
  const RetryTools tools_;
  const RetryPolicy retries_;
  Metrics& metrics_;
};

}  // namespace sidecar
