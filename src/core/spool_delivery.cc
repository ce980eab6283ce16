#include "core/spool_delivery.h"

#include "text/text.h"

namespace sidecar {

DeliveryVerdict JudgeDelivery(SpoolKind kind, const UpstreamFailure& failure) {
  switch (failure.status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      // Every upstream knows the keys of events.
      return failure.safe_to_repeat || kind == SpoolKind::kEvent ? DeliveryVerdict::kTryLater
                                                                 : DeliveryVerdict::kInDoubt;
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kCancelled:
      return DeliveryVerdict::kTryLater;
    default:
      return DeliveryVerdict::kRefused;
  }
}

std::string DescribeFailure(const UpstreamFailure& failure) {
  std::string text = absl::StatusCodeToString(failure.status.code());
  if (!failure.upstream_code.empty()) StrAppend(&text, " (", failure.upstream_code, ")");
  StrAppend(&text, ": ", Message(failure.status));
  if (!failure.trace_id.empty()) StrAppend(&text, " (trace id ", failure.trace_id, ")");
  return text;
}

void Spool::Delivery::TakeItems(SpoolStore::Items items) {
  items_ = std::move(items);
  items_.resize(batch.sequences.size());
  for (size_t i = 0; i < items_.size(); ++i) {
    const bool joins = i > 0 && items_[i].has_value() && items_[i - 1].has_value();
    if (joins) {
      parts_.back().end = i + 1;
    } else {
      parts_.push_back({i, i + 1});
    }
  }
}

std::optional<Spool::Delivery::Part> Spool::Delivery::NextPart() const {
  if (parts_.empty()) return std::nullopt;
  return parts_.front();
}

void Spool::Delivery::Acknowledge(size_t size) {
  const auto first = batch.sequences.begin() + static_cast<ptrdiff_t>(handled_);
  settlement_.delivered.insert(settlement_.delivered.end(), first, first + static_cast<ptrdiff_t>(size));
  Handled(size);
}

void Spool::Delivery::Bury(std::string reason) {
  settlement_.dead.push_back({.sequence = batch.sequences[handled_], .reason = std::move(reason)});
  Handled(1);
}

void Spool::Delivery::SplitPart() {
  const Part whole = parts_.front();
  const size_t middle = whole.begin + (whole.end - whole.begin) / 2;
  parts_.front() = {middle, whole.end};
  parts_.push_front({whole.begin, middle});
}

void Spool::Delivery::Handled(size_t size) {
  handled_ += size;
  parts_.front().begin += size;
  if (parts_.front().begin == parts_.front().end) parts_.pop_front();
}

}  // namespace sidecar
