// spool ls, spool dead and spool drain: looking at the durable spool, and emptying it.
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <thread>

#include "adapters/clock/system_clock.h"
#include "adapters/clock/system_random.h"
#include "adapters/http/cpprest_transport.h"
#include "adapters/json/json.h"
#include "adapters/log/logging.h"
#include "adapters/net/asio_timers.h"
#include "adapters/net/io_thread.h"
#include "adapters/spool/spool_codec.h"
#include "adapters/spool/spool_listing.h"
#include "adapters/system/files.h"
#include "app/exit_codes.h"
#include "app/process.h"
#include "app/spool_wiring.h"
#include "app/upstream.h"
#include "app/verbs.h"
#include "config/load.h"
#include "text/text.h"

namespace sidecar {
namespace {

constexpr std::string_view kSpoolUsage = "usage: stigg-sidecar spool ls [--json] | spool dead [--json] | spool drain";

/// Deliveries that may fail in a row before `drain` gives up: a quarter of a minute or so.
constexpr int kFailuresMax = 5;
constexpr Millis kLookEvery{20};
constexpr Millis kShowEvery{1'000};

int Complain(int code, std::string_view message) {
  std::fprintf(stderr, "stigg-sidecar: %.*s\n", static_cast<int>(message.size()), message.data());
  return code;
}

int CannotRead(const absl::Status& status) {
  return Complain(absl::IsNotFound(status) || absl::IsInvalidArgument(status) ? kExitFailure : kExitUnavailable,
                  Message(status));
}

void PrintLine(const std::string& line) {
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fputc('\n', stdout);
}

int List(const std::string& path, bool json) {
  const absl::StatusOr<std::vector<SpoolListing>> listings = ListSpool(path);
  if (!listings.ok()) return CannotRead(listings.status());
  uint64_t records = 0;
  uint64_t bytes = 0;
  size_t width = std::string_view("customer").size();
  for (const SpoolListing& each : *listings) {
    records += each.records;
    bytes += each.bytes;
    width = std::max(width, each.customer_id.size());
  }
  if (!json) {
    PrintLine(StrCat(records, records == 1 ? " record, " : " records, ", bytes, " bytes"));
    if (records > 0) PrintLine(fmt::format("{:<{}}  kind   records  bytes     oldest", "customer", width));
  }
  for (const SpoolListing& each : *listings) {
    if (json) {
      PrintLine(Dump({{"customer", each.customer_id},
                      {"kind", std::string(Name(each.kind))},
                      {"records", each.records},
                      {"bytes", each.bytes},
                      {"oldest", FormatDate(each.oldest)}}));
    } else {
      PrintLine(fmt::format("{:<{}}  {}  {:<7}  {:<8}  {}", each.customer_id, width, Name(each.kind), each.records,
                            each.bytes, FormatDate(each.oldest)));
    }
  }
  return kExitOk;
}

int ListDead(const std::string& path, bool json) {
  size_t count = 0;
  const absl::Status status = ForEachDeadLetter(path, [&](const DeadLetterListing& letter) {
    ++count;
    if (json) {
      absl::StatusOr<Json> item = ParseJson(letter.item);
      PrintLine(Dump({{"sequence", letter.sequence},
                      {"customer", letter.customer_id},
                      {"kind", std::string(Name(letter.kind))},
                      {"spooledAt", FormatDate(letter.spooled_at)},
                      {"diedAt", FormatDate(letter.died_at)},
                      {"reason", letter.reason},
                      {"report", item.ok() ? *std::move(item) : Json(letter.item)}}));
    } else {
      PrintLine(StrCat(FormatDate(letter.died_at), "  ", Name(letter.kind), "  ", letter.customer_id, "\n    ",
                       letter.reason, "\n    ", letter.item));
    }
  });
  if (!status.ok()) return CannotRead(status);
  if (!json) PrintLine(StrCat(count, count == 1 ? " dead letter" : " dead letters"));
  return kExitOk;
}

/// Everything a delivery needs. Lives until the process ends.
struct Drainer {
  SystemClock clock;
  SystemRandom random;
  Metrics metrics;
  IoThread io{"sidecar-io"};
  AsioTimers timers{io.context()};
  std::unique_ptr<Upstream> upstream;
  std::unique_ptr<SpoolWiring> wiring;
};

void ShowProgress(const Drainer& drainer, size_t waiting) {
  const uint64_t delivered = drainer.metrics.spool_delivered.value();
  const uint64_t dead = drainer.metrics.spool_dead.value();
  std::fputs(
      StrCat("spool drain: ", delivered, " of ", delivered + dead + waiting, " delivered, ", dead, " dead\n").c_str(),
      stderr);
}

int WaitUntilEmpty(const Drainer& drainer) {
  MonoTime show_at = drainer.clock.Now();
  for (;; std::this_thread::sleep_for(kLookEvery)) {
    const Spool::Progress progress = drainer.wiring->spool().progress();
    const bool done = progress.waiting == 0 && progress.under_way == 0 && progress.unsettled == 0;
    if (done || drainer.clock.Now() >= show_at) {
      ShowProgress(drainer, progress.waiting);
      show_at = drainer.clock.Now() + kShowEvery;
    }
    if (done) return drainer.metrics.spool_dead.value() == 0 ? kExitOk : kExitFailure;
    if (progress.failures >= kFailuresMax && progress.under_way == 0) {
      return Complain(kExitUnavailable, StrCat("upstream does not take the reports: ", Message(progress.last_failure),
                                               "; they stay in the spool"));
    }
  }
}

/// An interrupted drain loses nothing: what was delivered is noted as it goes, and the rest
/// is delivered another time under the same keys.
int Drain(const Config& config) {
  struct stat info {};
  if (stat(config.spool_path.c_str(), &info) != 0) {
    return Complain(kExitFailure, StrCat(config.spool_path, ": there is no spool"));
  }
  CpprestTransport::SizeThreadPool();
  StartLogging(config.log_level, LogFormat::kText);
  auto* const drainer = new Drainer;
  absl::StatusOr<std::unique_ptr<Upstream>> upstream =
      MakeUpstream(config, {drainer->clock, drainer->timers, drainer->random, drainer->metrics, drainer->io.context()});
  if (!upstream.ok()) return Complain(kExitConfig, Message(upstream.status()));
  drainer->upstream = *std::move(upstream);
  absl::StatusOr<std::unique_ptr<SpoolWiring>> wiring = SpoolWiring::Open(
      config, {drainer->upstream->sink(), drainer->clock, drainer->timers, drainer->random, drainer->metrics},
      [](const UsageReceipt&) {});
  if (absl::IsAlreadyExists(wiring.status())) {
    return Complain(kExitUnavailable, StrCat(Message(wiring.status()), ", which delivers it"));
  }
  if (!wiring.ok()) return Complain(kExitUnavailable, Message(wiring.status()));
  drainer->wiring = *std::move(wiring);
  return WaitUntilEmpty(*drainer);
}

}  // namespace

int SpoolVerb(const Environment& environment, const Arguments& arguments) {
  const std::string what = arguments.empty() ? "" : arguments.front();
  const bool json = arguments.size() == 2 && arguments[1] == "--json" && what != "drain";
  if ((what != "ls" && what != "dead" && what != "drain") || arguments.size() > (json ? 2U : 1U)) {
    return Complain(kExitUsage, kSpoolUsage);
  }
  const LoadedConfig loaded = LoadConfig(environment, what == "drain" ? Purpose::kServe : Purpose::kClient, ReadFile);
  for (const std::string& violation : loaded.violations) Complain(kExitConfig, violation);
  if (!loaded.violations.empty()) return kExitConfig;
  const Config& config = loaded.config;
  if (config.spool_path.empty()) return Complain(kExitConfig, "SPOOL_PATH is not set: expected the path of the spool");
  if (what == "ls") return List(config.spool_path, json);
  if (what == "dead") return ListDead(config.spool_path, json);
  if (config.offline) return Complain(kExitConfig, "OFFLINE=1: there is no upstream to deliver to");
  const int code = Drain(config);
  EndProcess(code);  // without destructors: exchanges may still be under way
}

}  // namespace sidecar
