// One batch of spooled records on its way upstream, and what upstream's answers mean for it.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/spool.h"

namespace sidecar {

enum class DeliveryVerdict : uint8_t {
  kTryLater,  ///< says nothing about the records
  kRefused,   ///< upstream looked at the records and will refuse one of them for ever
  kInDoubt,   ///< may have been counted, and trying again could count twice
};

/// Source: design section 9; docs/adr/0014. A rejected key, or a 403, is about us and not
/// about the records.
DeliveryVerdict JudgeDelivery(SpoolKind kind, const UpstreamFailure& failure);

/// For a dead letter: code, upstream's code and text, trace id.
std::string DescribeFailure(const UpstreamFailure& failure);

/// What the store is to be told.
struct Spool::Settlement {
  std::vector<uint64_t> delivered;
  std::vector<DeadLetter> dead;
  uint64_t bytes = 0;  ///< of all of them: the disk holds them until it is told

  bool empty() const { return delivered.empty() && dead.empty(); }
};

/// Records are handled from first to last: order within a customer is kept whatever is split.
struct Spool::Delivery {
  struct Part {
    size_t begin;
    size_t end;
  };

  explicit Delivery(SpoolLanes::Batch b) : batch(std::move(b)) {}

  const SpoolLanes::Batch batch;

  /// Plans the parts: what can be read together, what cannot be read alone.
  void TakeItems(SpoolStore::Items items);

  /// The part to handle now; nullopt when all is handled.
  std::optional<Part> NextPart() const;
  bool readable(size_t i) const { return items_[i].has_value(); }
  size_t handled() const { return handled_; }

  /// Of one that is readable.
  template <typename Report>
  const Report& Item(size_t i) const {
    return std::get<Report>(*items_[i]);
  }

  template <typename Item>
  std::vector<Item> Copy(size_t begin, size_t end) const {
    std::vector<Item> copies;
    copies.reserve(end - begin);
    for (size_t i = begin; i < end; ++i) copies.push_back(std::get<Item>(*items_[i]));
    return copies;
  }

  /// The first `size` records that are not handled yet are delivered.
  void Acknowledge(size_t size);
  /// The first record that is not handled yet is dead.
  void Bury(std::string reason);
  /// Handles the current part in two halves.
  void SplitPart();

  Settlement TakeSettlement() { return std::move(settlement_); }

 private:
  void Handled(size_t size);

  SpoolStore::Items items_;
  std::deque<Part> parts_;
  size_t handled_ = 0;
  Settlement settlement_;
};

}  // namespace sidecar
