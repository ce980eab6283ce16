#include "app/spool_wiring.h"

#include <spdlog/spdlog.h>

#include <thread>
#include <utility>

#include "text/text.h"

namespace sidecar {

SpoolWiring::SpoolWiring(const Config& config, const Tools& tools, std::unique_ptr<SqliteSpoolStore> store,
                         Spool::ReceiptDone receipt_done)
    : clock_(tools.clock),
      store_(std::move(store)),
      spool_({.store = *store_,
              .sink = tools.sink,
              .clock = tools.clock,
              .timers = tools.timers,
              .random = tools.random,
              .metrics = tools.metrics,
              .observer = tools.observer},
             std::move(receipt_done),
             {.bytes_max = config.spool_max_bytes,
              .age_max = config.spool_max_age,
              .delivery_timeout = config.report_timeout}) {}

absl::StatusOr<std::unique_ptr<SpoolWiring>> SpoolWiring::Open(const Config& config, const Tools& tools,
                                                               Spool::ReceiptDone receipt_done) {
  absl::StatusOr<std::unique_ptr<SqliteSpoolStore>> store =
      SqliteSpoolStore::Open({.path = config.spool_path, .dead_bytes_max = config.spool_max_bytes}, tools.clock);
  if (!store.ok()) return store.status();
  std::unique_ptr<SpoolWiring> wiring(new SpoolWiring(config, tools, *std::move(store), std::move(receipt_done)));
  if (absl::Status status = wiring->spool_.Start(); !status.ok()) return status;
  tools.metrics.spool_up.Set(1);
  return wiring;
}

absl::StatusOr<std::unique_ptr<SpoolWiring>> SpoolWiring::OpenOrServeWithout(const Config& config, const Tools& tools,
                                                                             Spool::ReceiptDone receipt_done) {
  if (config.spool_path.empty()) return nullptr;
  if (config.offline) {
    spdlog::warn("SPOOL_PATH is set with OFFLINE=1: there is no upstream to deliver to, so nothing is spooled");
    return nullptr;
  }
  absl::StatusOr<std::unique_ptr<SpoolWiring>> wiring = Open(config, tools, std::move(receipt_done));
  if (wiring.ok()) return wiring;
  if (absl::IsInvalidArgument(wiring.status())) {
    return InvalidArgument("SPOOL_PATH=", Message(wiring.status()), ". Set it to a file of its own");
  }
  spdlog::error("SPOOL_PATH={}: running without the spool; reports are acknowledged by upstream or fail",
                Message(wiring.status()));
  return nullptr;
}

void SpoolWiring::Drain(MonoTime deadline) {
  constexpr Millis kStep{2};
  for (; clock_.Now() < deadline; std::this_thread::sleep_for(kStep)) {
    const Spool::Progress progress = spool_.progress();
    // While upstream fails there is no point in waiting; what is left is safe on the disk.
    if (progress.waiting > 0 && progress.failures == 0) continue;
    spool_.Stop();
    if (progress.under_way == 0 && progress.unsettled == 0) break;
  }
  spool_.Stop();
  const size_t left = spool_.progress().waiting;
  if (left > 0) spdlog::warn("{} reports stay in the spool; they are delivered after the next start", left);
}

}  // namespace sidecar
