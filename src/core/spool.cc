#include "core/spool.h"

#include <algorithm>
#include <utility>

#include "absl/synchronization/notification.h"
#include "core/once_done.h"
#include "core/spool_delivery.h"
#include "ports/backoff.h"
#include "text/text.h"

namespace sidecar {
namespace {

/// What a record costs beside its texts: names of members and a row on the disk, its lane in
/// memory. The bound on bytes is one on memory too.
constexpr uint64_t kRowBytes = 256;

/// Time left for the commit when an attempt is cut short.
constexpr Millis kCommitTime{50};

/// How often records are looked at for their age.
constexpr Millis kSweepEvery{60'000};

uint64_t BytesOf(const EntityKey& key, const std::string& subject, const std::string& idempotency_key,
                 const Dimensions& dimensions) {
  uint64_t bytes =
      kRowBytes + key.customer_id.size() + key.resource_id.size() + subject.size() + idempotency_key.size();
  for (const auto& [name, value] : dimensions) {
    const auto* const text = std::get_if<std::string>(&value);
    bytes += name.size() + (text == nullptr ? sizeof(double) : text->size());
  }
  return bytes;
}

const std::string& CustomerOf(const SpoolItem& item) {
  return std::visit([](const auto& report) -> const std::string& { return report.key.customer_id; }, item);
}

}  // namespace

uint64_t SpoolBytes(const SpoolItem& item) {
  if (const auto* const usage = std::get_if<UsageReport>(&item)) {
    return BytesOf(usage->key, usage->feature_id, usage->idempotency_key, usage->dimensions);
  }
  const auto& event = std::get<UsageEvent>(item);
  return BytesOf(event.key, event.event_name, event.idempotency_key, event.dimensions);
}

Spool::Spool(const Parts& parts, ReceiptDone receipt_done, const SpoolSettings& settings)
    : parts_(parts), receipt_done_(std::move(receipt_done)), settings_(settings), lanes_(settings.batch) {}

Spool::~Spool() = default;

absl::Status Spool::Start() {
  absl::StatusOr<SpoolIndex> index = parts_.store.TakeIndex();
  if (!index.ok()) return index.status();
  // Before anything is delivered or answered.
  if (parts_.observer != nullptr) {
    if (absl::Status status = TellOfHeld(*index); !status.ok()) return status;
  }
  {
    absl::MutexLock lock(&mu_);
    next_sequence_ = index->next_sequence;
    // Dates of another life are turned into ages once: later jumps of the wall clock age
    // nothing.
    const MonoTime now = parts_.clock.Now();
    const WallTime wall_now = parts_.clock.WallNow();
    for (const SpoolEntry& entry : index->entries) {
      const Millis age = std::clamp(wall_now - entry.spooled_at, Millis(0), settings_.age_max);
      lanes_.Add(entry, now + (settings_.age_max - age));
    }
    started_ = true;
    ShowSize();
  }
  Sweep();
  return absl::OkStatus();
}

absl::Status Spool::TellOfHeld(const SpoolIndex& index) {
  constexpr size_t kBatch = 1'000;
  std::vector<const SpoolEntry*> usage;
  for (const SpoolEntry& entry : index.entries) {
    if (entry.kind == SpoolKind::kUsage) usage.push_back(&entry);
  }
  for (size_t begin = 0; begin < usage.size(); begin += kBatch) {
    const size_t size = std::min(kBatch, usage.size() - begin);
    std::vector<uint64_t> sequences;
    for (size_t i = begin; i < begin + size; ++i) sequences.push_back(usage[i]->sequence);
    absl::StatusOr<SpoolStore::Items> items = absl::UnknownError("not read");
    absl::Notification read;
    parts_.store.Read(std::move(sequences), [&](absl::StatusOr<SpoolStore::Items> result) {
      items = std::move(result);
      read.Notify();
    });
    read.WaitForNotification();
    if (!items.ok()) return items.status();
    for (size_t i = 0; i < size; ++i) {
      // One that cannot be read is buried when its turn comes.
      if (!(*items)[i].has_value()) continue;
      const SpoolEntry& entry = *usage[begin + i];
      parts_.observer->OnSpooled({.sequence = entry.sequence,
                                  .spooled_at = entry.spooled_at,
                                  .bytes = entry.bytes,
                                  .item = *std::move((*items)[i])});
    }
  }
  return absl::OkStatus();
}

void Spool::Append(std::vector<SpoolItem> items, MonoTime deadline, Done done) {
  const MonoTime now = parts_.clock.Now();
  const WallTime wall_now = parts_.clock.WallNow();
  auto records = std::make_shared<std::vector<SpoolRecord>>();
  records->reserve(items.size());
  uint64_t bytes = 0;
  for (SpoolItem& item : items) {
    const uint64_t size = SpoolBytes(item);
    bytes += size;
    records->push_back({.spooled_at = wall_now, .bytes = size, .item = std::move(item)});
  }
  bool full = false;
  {
    absl::MutexLock lock(&mu_);
    full = lanes_.bytes() + appending_bytes_ + unsettled_bytes_ + bytes > settings_.bytes_max;
    if (!full) {
      appending_bytes_ += bytes;
      for (SpoolRecord& record : *records) record.sequence = next_sequence_++;
    }
  }
  if (full) {
    parts_.metrics.spool_dropped.Add(records->size());
    return std::move(done)(
        Error(absl::StatusCode::kResourceExhausted, "the spool is full (SPOOL_MAX_BYTES=", settings_.bytes_max, ")"));
  }
  const auto answer = OnceDone::Make(parts_.timers, deadline, std::move(done));
  parts_.store.Append(records, [this, records, bytes, now, answer](const absl::Status& status) {
    // Before a delivery can take them, and before the reporter hears of it.
    if (status.ok() && parts_.observer != nullptr) {
      for (const SpoolRecord& record : *records) parts_.observer->OnSpooled(record);
    }
    {
      absl::MutexLock lock(&mu_);
      appending_bytes_ -= bytes;
      if (status.ok()) {
        for (const SpoolRecord& record : *records) {
          lanes_.Add({.sequence = record.sequence,
                      .kind = KindOf(record.item),
                      .customer_id = CustomerOf(record.item),
                      .spooled_at = record.spooled_at,
                      .bytes = record.bytes},
                     now + settings_.age_max);
        }
        ShowSize();
      }
    }
    answer->Finish(status);
    Pump();
  });
}

bool Spool::HoldsUsageOf(std::string_view customer_id) const {
  absl::MutexLock lock(&mu_);
  return lanes_.Holds(SpoolKind::kUsage, customer_id);
}

MonoTime Spool::AttemptBy(MonoTime deadline) const {
  const Millis left = std::max(Millis(0), deadline - parts_.clock.Now());
  return deadline - std::min(kCommitTime, left / 4);
}

void Spool::Stop() {
  absl::MutexLock lock(&mu_);
  stopped_ = true;
}

Spool::Progress Spool::progress() const {
  absl::MutexLock lock(&mu_);
  return {.waiting = lanes_.records(),
          .under_way = under_way_,
          .unsettled = unsettled_,
          .failures = failures_,
          .last_failure = last_failure_};
}

void Spool::Pump() {
  for (;;) {
    DeliveryPtr delivery;
    {
      absl::MutexLock lock(&mu_);
      // While upstream fails, one delivery at a time asks whether it is back.
      if (!started_ || stopped_ || under_way_ >= (failures_ > 0 ? 1 : settings_.deliveries_max)) return;
      if (parts_.clock.Now() < paused_until_) {
        if (pump_timer_ != Timers::kNone || lanes_.records() == 0) return;
        pump_timer_ = parts_.timers.At(paused_until_, [this] {
          {
            absl::MutexLock timer_lock(&mu_);
            pump_timer_ = Timers::kNone;
          }
          Pump();
        });
        return;
      }
      std::optional<SpoolLanes::Batch> batch = lanes_.Take();
      if (!batch.has_value()) return;
      ++under_way_;
      delivery = std::make_shared<Delivery>(*std::move(batch));
    }
    Deliver(delivery);
  }
}

void Spool::Deliver(const DeliveryPtr& delivery) {
  std::vector<uint64_t> sequences = delivery->batch.sequences;
  parts_.store.Read(std::move(sequences), [this, delivery](absl::StatusOr<SpoolStore::Items> items) {
    if (!items.ok()) {
      const UpstreamFailure failure{.status = items.status()};
      return End(delivery, &failure);
    }
    delivery->TakeItems(*std::move(items));
    SendNext(delivery);
  });
}

void Spool::SendNext(const DeliveryPtr& delivery) {
  while (const auto part = delivery->NextPart()) {
    if (delivery->readable(part->begin)) return Send(delivery, part->begin, part->end);
    delivery->Bury("the stored record cannot be read");
  }
  End(delivery, nullptr);
}

void Spool::Send(const DeliveryPtr& delivery, size_t begin, size_t end) {
  const MonoTime deadline = parts_.clock.Now() + settings_.delivery_timeout;
  const size_t size = end - begin;
  if (delivery->batch.kind == SpoolKind::kEvent) {
    return parts_.sink.ReportEvents(delivery->Copy<UsageEvent>(begin, end), deadline,
                                    [this, delivery, size](UpstreamResult<std::monostate> result) {
                                      if (!result.ok()) return Failed(delivery, size, result.failure());
                                      Acknowledged(delivery, size);
                                    });
  }
  parts_.sink.ReportUsage(delivery->Copy<UsageReport>(begin, end), deadline,
                          [this, delivery, size](UpstreamResult<std::vector<UsageReceipt>> result) {
                            if (!result.ok()) return Failed(delivery, size, result.failure());
                            PassOn(*delivery, std::move(result.value()));
                            Acknowledged(delivery, size);
                          });
}

void Spool::PassOn(const Delivery& delivery, std::vector<UsageReceipt> receipts) {
  for (size_t i = 0; i < receipts.size(); ++i) {
    UsageReceipt& receipt = receipts[i];
    if (parts_.observer == nullptr) {
      receipt_done_(std::move(receipt));
      continue;
    }
    const size_t at = delivery.handled() + i;
    parts_.observer->OnDelivered(delivery.batch.sequences[at], delivery.Item<UsageReport>(at), receipt,
                                 [&] { receipt_done_(receipt); });
  }
}

void Spool::Acknowledged(const DeliveryPtr& delivery, size_t size) {
  delivery->Acknowledge(size);
  parts_.metrics.spool_delivered.Add(size);
  SendNext(delivery);
}

void Spool::Failed(const DeliveryPtr& delivery, size_t size, const UpstreamFailure& failure) {
  switch (JudgeDelivery(delivery->batch.kind, failure)) {
    case DeliveryVerdict::kTryLater:
      return End(delivery, &failure);
    case DeliveryVerdict::kInDoubt:
      for (size_t i = 0; i < size; ++i) {
        delivery->Bury(
            StrCat("may have been counted, and this upstream knows no idempotency keys: ", DescribeFailure(failure)));
      }
      break;
    case DeliveryVerdict::kRefused:
      if (size > 1) {
        delivery->SplitPart();
      } else {
        delivery->Bury(DescribeFailure(failure));
      }
      break;
  }
  SendNext(delivery);
}

void Spool::End(const DeliveryPtr& delivery, const UpstreamFailure* failure) {
  auto settlement = std::make_shared<Settlement>(delivery->TakeSettlement());
  {
    absl::MutexLock lock(&mu_);
    const uint64_t before = lanes_.bytes();
    lanes_.Settle(delivery->batch, delivery->handled(), failure != nullptr && failure->http_status == 500);
    settlement->bytes = before - lanes_.bytes();
    unsettled_bytes_ += settlement->bytes;
    --under_way_;
    if (failure == nullptr) {
      failures_ = 0;
      paused_until_ = MonoTime::min();
    } else {
      last_failure_ = failure->status;
      Pause(failure->retry_after);
    }
    ShowSize();
  }
  Settle(settlement, SpoolObserver::Loss::kBuried);
  Pump();
}

void Spool::Pause(std::optional<Millis> retry_after) {
  const MonoTime now = parts_.clock.Now();
  // Several deliveries that fail together are one failure.
  if (now < paused_until_) {
    paused_until_ = std::max(paused_until_, now + retry_after.value_or(Millis(0)));
    return;
  }
  ++failures_;
  const Millis pause = JitteredBackoff(settings_.pause_min, settings_.pause_max, failures_, parts_.random);
  paused_until_ = now + std::max(pause, retry_after.value_or(Millis(0)));
}

void Spool::Settle(const std::shared_ptr<const Settlement>& settlement, SpoolObserver::Loss loss) {
  if (settlement->empty()) return;
  {
    absl::MutexLock lock(&mu_);
    ++unsettled_;
  }
  parts_.metrics.spool_dead.Add(settlement->dead.size());
  if (parts_.observer != nullptr) {
    for (const DeadLetter& letter : settlement->dead) parts_.observer->OnLost(letter.sequence, loss);
  }
  TrySettle(settlement);
}

void Spool::TrySettle(const std::shared_ptr<const Settlement>& settlement) {
  parts_.store.Settle(
      settlement->delivered, settlement->dead, [this, settlement](const absl::StatusOr<uint64_t>& forgotten) {
        if (!forgotten.ok()) {
          // Until it succeeds, a crash would deliver these again, under the same keys.
          parts_.timers.At(parts_.clock.Now() + settings_.pause_max, [this, settlement] { TrySettle(settlement); });
          return;
        }
        parts_.metrics.spool_dropped.Add(*forgotten);
        absl::MutexLock lock(&mu_);
        --unsettled_;
        unsettled_bytes_ -= settlement->bytes;
      });
}

void Spool::Sweep() {
  auto settlement = std::make_shared<Settlement>();
  {
    absl::MutexLock lock(&mu_);
    const std::string reason = StrCat("older than SPOOL_MAX_AGE_SECS=", settings_.age_max.count() / 1000);
    const uint64_t before = lanes_.bytes();
    for (const uint64_t sequence : lanes_.TakeExpired(parts_.clock.Now())) {
      settlement->dead.push_back({.sequence = sequence, .reason = reason});
    }
    settlement->bytes = before - lanes_.bytes();
    unsettled_bytes_ += settlement->bytes;
    ShowSize();
  }
  parts_.metrics.spool_dropped.Add(settlement->dead.size());
  Settle(settlement, SpoolObserver::Loss::kTooOld);
  parts_.timers.At(parts_.clock.Now() + kSweepEvery, [this] { Sweep(); });
  Pump();
}

void Spool::ShowSize() {
  parts_.metrics.spool_records.Set(lanes_.records());
  parts_.metrics.spool_bytes.Set(lanes_.bytes());
}

}  // namespace sidecar
