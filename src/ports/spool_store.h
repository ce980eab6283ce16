// Where acknowledged reports wait for upstream, across crashes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "domain/time.h"
#include "ports/usage_sink.h"

namespace sidecar {

enum class SpoolKind : uint8_t { kUsage, kEvent };

/// A report that carries its idempotency key.
using SpoolItem = std::variant<UsageReport, UsageEvent>;

inline SpoolKind KindOf(const SpoolItem& item) {
  return std::holds_alternative<UsageReport>(item) ? SpoolKind::kUsage : SpoolKind::kEvent;
}

struct SpoolRecord {
  uint64_t sequence = 0;  ///< its place in the order, from 1; never used twice
  WallTime spooled_at;
  uint64_t bytes = 0;  ///< what it counts against the bound
  SpoolItem item;
};

/// What is kept in memory of a record: enough to plan its delivery.
struct SpoolEntry {
  uint64_t sequence = 0;
  SpoolKind kind = SpoolKind::kUsage;
  std::string customer_id;
  WallTime spooled_at;
  uint64_t bytes = 0;
};

struct SpoolIndex {
  std::vector<SpoolEntry> entries;  ///< in order
  uint64_t next_sequence = 1;       ///< above all that were ever used
};

/// A record that will not be delivered.
struct DeadLetter {
  uint64_t sequence = 0;
  std::string reason;
};

/// Durable and ordered. What is called back is called exactly once, from the store's own
/// thread, in the order of the calls. Nothing waits for the disk in the caller. Thread-safe.
class SpoolStore {
 public:
  virtual ~SpoolStore() = default;

  using Records = std::shared_ptr<const std::vector<SpoolRecord>>;
  /// Aligned with the sequences asked for; nullopt where there is no readable record.
  using Items = std::vector<std::optional<SpoolItem>>;
  using AppendDone = absl::AnyInvocable<void(absl::Status) &&>;
  using ReadDone = absl::AnyInvocable<void(absl::StatusOr<Items>) &&>;
  using SettleDone = absl::AnyInvocable<void(absl::StatusOr<uint64_t>) &&>;

  /// What is held from before. Once, ahead of all other calls; waits for the disk.
  virtual absl::StatusOr<SpoolIndex> TakeIndex() = 0;

  /// OK: all records will survive a crash of the machine. Otherwise none is held.
  virtual void Append(Records records, AppendDone done) = 0;

  virtual void Read(std::vector<uint64_t> sequences, ReadDone done) = 0;

  /// Forgets what was delivered and moves what is dead to the dead letters, all or nothing;
  /// what is not held is passed over, so it may be repeated. The result is how many old dead
  /// letters had to make room.
  virtual void Settle(std::vector<uint64_t> delivered, std::vector<DeadLetter> dead, SettleDone done) = 0;
};

}  // namespace sidecar
