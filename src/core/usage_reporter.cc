#include "core/usage_reporter.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace sidecar {

template <typename Item>
struct UsageReporter::Batch {
  std::vector<Item> items;
  MonoTime deadline;
  Done done;
  ReportOutcome outcome;

  bool complete() const { return outcome.acknowledged == items.size(); }

  /// Moves the next part out; empty when all were acknowledged.
  std::vector<Item> TakePart(size_t most) {
    const auto begin = items.begin() + static_cast<ptrdiff_t>(outcome.acknowledged);
    const auto size = std::min<ptrdiff_t>(static_cast<ptrdiff_t>(most), items.end() - begin);
    return {std::make_move_iterator(begin), std::make_move_iterator(begin + size)};
  }

  void Finish() { std::move(done)(std::move(outcome)); }

  void Fail(const UpstreamFailure& failure) {
    outcome.failure = failure;
    Finish();
  }
};

void UsageReporter::ReportUsage(std::vector<UsageReport> reports, MonoTime deadline, Done done) {
  auto batch = std::make_unique<Batch<UsageReport>>();
  batch->outcome.total = reports.size();
  batch->items = std::move(reports);
  batch->deadline = deadline;
  batch->done = std::move(done);
  SendNext(std::move(batch));
}

void UsageReporter::ReportEvents(std::vector<UsageEvent> events, MonoTime deadline, Done done) {
  auto batch = std::make_unique<Batch<UsageEvent>>();
  batch->outcome.total = events.size();
  batch->items = std::move(events);
  batch->deadline = deadline;
  batch->done = std::move(done);
  SendNext(std::move(batch));
}

void UsageReporter::SendNext(std::unique_ptr<Batch<UsageReport>> batch) {
  if (batch->complete()) return batch->Finish();
  std::vector<UsageReport> part = batch->TakePart(UsageSink::kUsagesPerCallMax);
  const size_t size = part.size();
  const MonoTime deadline = batch->deadline;
  sink_.ReportUsage(std::move(part), deadline,
                    [this, size, batch = std::move(batch)](UpstreamResult<std::vector<UsageReceipt>> result) mutable {
                      if (!result.ok()) return batch->Fail(result.failure());
                      batch->outcome.acknowledged += size;
                      for (UsageReceipt& receipt : result.value()) {
                        door_.ApplyReceipt(receipt);
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

}  // namespace sidecar
