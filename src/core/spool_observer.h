#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "ports/spool_store.h"

namespace sidecar {

/// Is told what becomes of spooled usage. Called from any thread; must not call the spool.
class SpoolObserver {
 public:
  virtual ~SpoolObserver() = default;

  /// The record is durable: it was appended, or is held from an earlier life. Comes before its
  /// reporter is answered, and before anything else about it.
  virtual void OnSpooled(const SpoolRecord& record) = 0;

  /// Upstream has counted the report. `apply` writes what the receipt says into the record that
  /// readers see; the observer calls it once.
  virtual void OnDelivered(uint64_t sequence, const UsageReport& report, const UsageReceipt& receipt,
                           absl::FunctionRef<void()> apply) = 0;

  enum class Loss : uint8_t { kBuried, kTooOld };
  /// Upstream will not have the record. It may be one of events, or one that cannot be read.
  virtual void OnLost(uint64_t sequence, Loss loss) = 0;
};

}  // namespace sidecar
