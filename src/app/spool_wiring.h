// The durable spool of a serving process: opened, started, and drained at the end.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "adapters/spool/sqlite_spool_store.h"
#include "config/config.h"
#include "core/spool.h"

namespace sidecar {

class SpoolWiring {
 public:
  struct Tools {
    UsageSink& sink;
    Clock& clock;
    Timers& timers;
    Random& random;
    Metrics& metrics;
    SpoolObserver* observer = nullptr;
  };

  /// Opens the spool of the configuration and begins to deliver what it holds; waits for the
  /// disk. ALREADY_EXISTS: another process has it. INVALID_ARGUMENT: the file is something
  /// else. UNAVAILABLE: it cannot be used now.
  static absl::StatusOr<std::unique_ptr<SpoolWiring>> Open(const Config& config, const Tools& tools,
                                                           Spool::ReceiptDone receipt_done);

  /// The same for a daemon, which serves on without a spool rather than not at all: nullptr
  /// when none is configured, or when it cannot be used (the log says why). INVALID_ARGUMENT:
  /// SPOOL_PATH names something else.
  static absl::StatusOr<std::unique_ptr<SpoolWiring>> OpenOrServeWithout(const Config& config, const Tools& tools,
                                                                         Spool::ReceiptDone receipt_done);

  Spool& spool() { return spool_; }

  /// Goes on delivering until nothing is left, upstream fails, or `deadline`; then stops.
  /// What is left is delivered after the next start. Blocks.
  void Drain(MonoTime deadline);

 private:
  SpoolWiring(const Config& config, const Tools& tools, std::unique_ptr<SqliteSpoolStore> store,
              Spool::ReceiptDone receipt_done);

  Clock& clock_;
  const std::unique_ptr<SqliteSpoolStore> store_;
  Spool spool_;
};

}  // namespace sidecar
