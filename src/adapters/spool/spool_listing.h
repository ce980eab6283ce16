// What is in a spool, for people: read beside a daemon that writes.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ports/spool_store.h"

namespace sidecar {

/// What waits of one customer and kind.
struct SpoolListing {
  std::string customer_id;
  SpoolKind kind = SpoolKind::kUsage;
  uint64_t records = 0;
  uint64_t bytes = 0;
  WallTime oldest;
};

/// The longest waiting first. NOT_FOUND: there is no spool at `path`; INVALID_ARGUMENT: it is
/// something else; UNAVAILABLE, DATA_LOSS: it cannot be read.
absl::StatusOr<std::vector<SpoolListing>> ListSpool(const std::string& path);

struct DeadLetterListing {
  uint64_t sequence = 0;
  std::string customer_id;
  SpoolKind kind = SpoolKind::kUsage;
  WallTime spooled_at;
  WallTime died_at;
  std::string reason;
  std::string item;  ///< as EncodeSpoolItem writes it
};

/// Calls `each` for every dead letter, the oldest first. Statuses as of ListSpool.
absl::Status ForEachDeadLetter(const std::string& path, const std::function<void(const DeadLetterListing&)>& each);

}  // namespace sidecar
