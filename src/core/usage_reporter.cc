#include "core/usage_reporter.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace sidecar {
namespace {

/// Upstream could not take the report now, and a later repetition counts it once.
bool MaySpool(const UpstreamFailure& failure) {
  return failure.safe_to_repeat && (failure.status.code() == absl::StatusCode::kUnavailable ||
                                    failure.status.code() == absl::StatusCode::kDeadlineExceeded);
}

UpstreamFailure NotSpooled(const absl::Status& status) { return {.status = status, .surely_not_processed = true}; }

}  // namespace

template <typename Item>
struct UsageReporter::Batch {
  std::vector<Item> items;
  MonoTime deadline;
  MonoTime attempt_deadline;  ///< leaves time for the spool
  bool may_spool = false;
  bool keep_items = false;  ///< they are needed once more
  Done done;
  ReportOutcome outcome;

  bool complete() const { return outcome.acknowledged == items.size(); }

  /// Moves the next part out; empty when all were acknowledged.
  std::vector<Item> TakePart(size_t most) {
    const auto begin = items.begin() + static_cast<ptrdiff_t>(outcome.acknowledged);
    const auto size = std::min<ptrdiff_t>(static_cast<ptrdiff_t>(most), items.end() - begin);
    if (keep_items) return {begin, begin + size};
    return {std::make_move_iterator(begin), std::make_move_iterator(begin + size)};
  }

  /// The items that are not acknowledged.
  std::vector<SpoolItem> Rest() const {
    return {items.begin() + static_cast<ptrdiff_t>(outcome.acknowledged), items.end()};
  }

  void Finish() { std::move(done)(std::move(outcome)); }

  void Fail(const UpstreamFailure& failure) {
    outcome.failure = failure;
    Finish();
  }
};

void UsageReporter::ReportUsage(std::vector<UsageReport> reports, MonoTime deadline, Done done, Durability durability) {
  auto batch = std::make_unique<Batch<UsageReport>>();
  batch->outcome.total = reports.size();
  batch->items = std::move(reports);
  batch->deadline = batch->attempt_deadline = deadline;
  batch->done = std::move(done);
  batch->keep_items = overlay_ != nullptr;
  if (spool_ == nullptr) return SendNext(std::move(batch));
  if (durability == Durability::kSpoolOnFailure) {
    batch->may_spool = batch->keep_items = true;
    batch->attempt_deadline = spool_->AttemptBy(deadline);
  }
  // What is spooled comes first: a SET must not be undone by an older one.
  const bool behind = std::any_of(batch->items.begin(), batch->items.end(), [&](const UsageReport& report) {
    return spool_->HoldsUsageOf(report.key.customer_id);
  });
  if (!behind) return SendNext(std::move(batch));
  if (batch->may_spool) return SpoolRest(std::move(batch), std::nullopt);
  batch->Fail(NotSpooled(absl::UnavailableError(
      "earlier reports of this customer wait in the spool; metadata x-accept-durable: 1 queues behind them")));
}

void UsageReporter::ReportEvents(std::vector<UsageEvent> events, MonoTime deadline, Done done) {
  auto batch = std::make_unique<Batch<UsageEvent>>();
  batch->outcome.total = events.size();
  batch->items = std::move(events);
  batch->deadline = batch->attempt_deadline = deadline;
  batch->done = std::move(done);
  if (spool_ != nullptr && !batch->items.empty()) return SpoolAll(std::move(batch));
  SendNext(std::move(batch));
}

void UsageReporter::SendNext(std::unique_ptr<Batch<UsageReport>> batch) {
  if (batch->complete()) return batch->Finish();
  std::vector<UsageReport> part = batch->TakePart(UsageSink::kUsagesPerCallMax);
  const size_t size = part.size();
  const MonoTime deadline = batch->attempt_deadline;
  const uint64_t sent = overlay_ == nullptr ? 0 : overlay_->Sending();
  sink_.ReportUsage(
      std::move(part), deadline,
      [this, size, sent, batch = std::move(batch)](UpstreamResult<std::vector<UsageReceipt>> result) mutable {
        if (!result.ok()) {
          if (batch->may_spool && MaySpool(result.failure())) {
            return SpoolRest(std::move(batch), result.failure());
          }
          return batch->Fail(result.failure());
        }
        const UsageReport* report = batch->items.data() + batch->outcome.acknowledged;
        batch->outcome.acknowledged += size;
        for (UsageReceipt& receipt : result.value()) {
          if (overlay_ != nullptr) {
            overlay_->Acknowledge(*report++, receipt, sent, [&] { door_.Apply(receipt); });
          } else {
            door_.Apply(receipt);
          }
          if (shared_ != nullptr) shared_->Apply(receipt);
          batch->outcome.receipts.push_back(std::move(receipt));
        }
        SendNext(std::move(batch));
      });
}

void UsageReporter::SendNext(std::unique_ptr<Batch<UsageEvent>> batch) {
  if (batch->complete()) return batch->Finish();
  std::vector<UsageEvent> part = batch->TakePart(UsageSink::kEventsPerCallMax);
  const size_t size = part.size();
  const MonoTime deadline = batch->deadline;
  sink_.ReportEvents(std::move(part), deadline,
                     [this, size, batch = std::move(batch)](UpstreamResult<std::monostate> result) mutable {
                       if (!result.ok()) return batch->Fail(result.failure());
                       batch->outcome.acknowledged += size;
                       SendNext(std::move(batch));
                     });
}

void UsageReporter::SpoolRest(std::unique_ptr<Batch<UsageReport>> batch, std::optional<UpstreamFailure> failure) {
  std::vector<SpoolItem> rest = batch->Rest();
  const MonoTime deadline = batch->deadline;
  spool_->Append(
      std::move(rest), deadline, [batch = std::move(batch), failure = std::move(failure)](const absl::Status& status) {
        // A full spool says so; one that fails leaves the answer that upstream gave.
        if (!status.ok()) {
          const bool ours = !failure.has_value() || !absl::IsUnavailable(status);
          return batch->Fail(ours ? NotSpooled(status) : *failure);
        }
        ReportOutcome& outcome = batch->outcome;
        for (size_t i = outcome.acknowledged; i < batch->items.size(); ++i) {
          const UsageReport& report = batch->items[i];
          outcome.receipts.push_back(
              {.measurement_id = report.idempotency_key, .key = report.key, .feature_id = report.feature_id});
        }
        outcome.acknowledged = outcome.total;
        outcome.durable = true;
        batch->Finish();
      });
}

void UsageReporter::SpoolAll(std::unique_ptr<Batch<UsageEvent>> batch) {
  std::vector<SpoolItem> all = batch->Rest();
  const MonoTime deadline = spool_->AttemptBy(batch->deadline);
  spool_->Append(std::move(all), deadline, [this, batch = std::move(batch)](const absl::Status& status) mutable {
    // Without a disk they go the ordinary way.
    if (absl::IsUnavailable(status)) return SendNext(std::move(batch));
    if (!status.ok()) return batch->Fail(NotSpooled(status));
    batch->outcome.acknowledged = batch->outcome.total;
    batch->outcome.durable = true;
    batch->Finish();
  });
}

}  // namespace sidecar
