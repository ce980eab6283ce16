// Writes: sends usage and events upstream in parts, and lets reads see at once what upstream
// acknowledged. Source: design section 9.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "core/record_door.h"
#include "core/spool.h"
#include "core/usage_overlay.h"
#include "ports/shared_store.h"
#include "ports/usage_sink.h"

namespace sidecar {

/// Outcome of a report that may have been sent in several parts.
struct ReportOutcome {
  size_t total = 0;
  size_t acknowledged = 0;                 ///< items upstream counted, from the first on
  std::vector<UsageReceipt> receipts;      ///< of the acknowledged usages, in order
  std::optional<UpstreamFailure> failure;  ///< of the part after them; the rest was not sent
  /// Some of the acknowledged are in the spool: upstream will have them. Their receipts have
  /// the idempotency key as measurement id, and no figures.
  bool durable = false;
};

/// Whether a usage report may be acknowledged before upstream has it.
enum class Durability : uint8_t { kUpstreamOnly, kSpoolOnFailure };

/// With a spool, events go there first, and usage that upstream could not take when that is
/// allowed (docs/adr/0014). Thread-safe. `done` runs once, by `deadline`, on a transport,
/// timer or spool thread, or in the caller.
class UsageReporter {
 public:
  using Done = absl::AnyInvocable<void(ReportOutcome) &&>;

  /// `spool`, `shared`, `overlay`: nullptr without one. The spool has the same overlay for its observer.
  UsageReporter(UsageSink& sink, RecordDoor& door, Spool* spool = nullptr, SharedStore* shared = nullptr,
                UsageOverlay* overlay = nullptr)
      : sink_(sink), door_(door), spool_(spool), shared_(shared), overlay_(overlay) {}

  /// Without a spool, `durability` means nothing.
  void ReportUsage(std::vector<UsageReport> reports, MonoTime deadline, Done done,
                   Durability durability = Durability::kUpstreamOnly);
  void ReportEvents(std::vector<UsageEvent> events, MonoTime deadline, Done done);

 private:
  template <typename Item>
  struct Batch;

  void SendNext(std::unique_ptr<Batch<UsageReport>> batch);
  void SendNext(std::unique_ptr<Batch<UsageEvent>> batch);
  /// Spools what is not acknowledged yet. `failure`: why upstream does not have it; nullopt
  /// when it was not asked.
  void SpoolRest(std::unique_ptr<Batch<UsageReport>> batch, std::optional<UpstreamFailure> failure);
  void SpoolAll(std::unique_ptr<Batch<UsageEvent>> batch);

  UsageSink& sink_;
  RecordDoor& door_;
  Spool* const spool_;
  SharedStore* const shared_;
  UsageOverlay* const overlay_;
};

}  // namespace sidecar
