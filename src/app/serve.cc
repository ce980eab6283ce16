// serve, dev and check-config.
#include <google/protobuf/stubs/logging.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <memory>

#include "adapters/http/cpprest_transport.h"
#include "adapters/log/logging.h"
#include "adapters/system/files.h"
#include "app/daemon.h"
#include "app/exit_codes.h"
#include "app/options.h"
#include "app/signals.h"
#include "app/verbs.h"
#include "config/load.h"
#include "dev/dev_upstream.h"
#include "text/text.h"

namespace sidecar {
namespace {

constexpr size_t kTransportThreads = 2;

int ReportViolations(const LoadedConfig& loaded) {
  for (const std::string& violation : loaded.violations) std::fprintf(stderr, "stigg-sidecar: %s\n", violation.c_str());
  std::fprintf(stderr, "stigg-sidecar: the configuration has %zu mistake%s; see stigg-sidecar help\n",
               loaded.violations.size(), loaded.violations.size() == 1 ? "" : "s");
  return kExitConfig;
}

int UsageError(std::string_view message) {
  std::fprintf(stderr, "stigg-sidecar: %.*s\n", static_cast<int>(message.size()), message.data());
  return kExitUsage;
}

/// Ends the process without destructors: fetches may still be under way.
[[noreturn]] void EndProcess(int code) {
  StopLogging();
  std::fflush(nullptr);
  _exit(code);
}

/// Settings that are read but whose part of the daemon is yet to come.
void WarnAboutMissingParts(const Config& config) {
  if (!config.redis.environment_prefix.empty()) {
    spdlog::warn("REDIS_ENVIRONMENT_PREFIX is set, but this version has no Redis tier: running on memory alone");
  }
}

int Run(const Config& config, const std::vector<std::string>& warnings, bool at_terminal) {
  StartLogging(config.log_level);
  // protobuf reports unparsable requests on standard error; we answer them instead.
  google::protobuf::SetLogHandler(nullptr);
  for (const std::string& warning : warnings) spdlog::warn("{}", warning);
  WarnAboutMissingParts(config);

  auto* const daemon = new Daemon(config);  // never destroyed, see Daemon
  Signals signals(daemon->io().context());
  if (absl::Status status = daemon->Start(); !status.ok()) {
    std::fprintf(stderr, "stigg-sidecar: %s\n", std::string(status.message()).c_str());
    EndProcess(absl::IsInvalidArgument(status) ? kExitConfig : kExitFailure);
  }
  std::printf("%s\nSidecar is ready\n", daemon->Describe().c_str());
  std::fflush(stdout);
  const int signal = signals.Wait();
  const bool settle = !(at_terminal && signal == SIGINT);
  daemon->Drain(settle ? config.drain_settle : Millis(0));
  EndProcess(kExitOk);
}

}  // namespace

int Serve(const Environment& environment, const Arguments& arguments) {
  if (!arguments.empty()) return UsageError("serve takes no arguments; it is configured by environment variables");
  CpprestTransport::SizeThreadPool(kTransportThreads);
  const LoadedConfig loaded = LoadConfig(environment, Purpose::kServe, ReadFile);
  if (!loaded.violations.empty()) return ReportViolations(loaded);
  return Run(loaded.config, loaded.warnings, /*at_terminal=*/false);
}

int Dev(const Environment& environment, const Arguments& arguments) {
  const absl::StatusOr<ParsedArguments> parsed = ParseArguments(arguments, {"--data", "--upstream-port"});
  if (!parsed.ok()) return UsageError(Message(parsed.status()));
  if (!parsed->positional.empty()) return UsageError("dev takes --data FILE and --upstream-port N only");
  const std::string port_text = parsed->Option("--upstream-port");
  const std::optional<uint16_t> upstream_port = ParseNumber<uint16_t>(port_text);
  if (!port_text.empty() && !upstream_port.has_value()) {
    return UsageError("--upstream-port needs a port, 0 to 65535");
  }
  CpprestTransport::SizeThreadPool(kTransportThreads);
  LoadedConfig loaded = LoadConfig(environment, Purpose::kDev, ReadFile);
  if (!loaded.violations.empty()) return ReportViolations(loaded);

  static SystemClock clock;
  auto upstream =
      dev::DevUpstream::Start({.data_file = parsed->Option("--data"), .port = upstream_port.value_or(0)}, clock);
  if (!upstream.ok()) {
    std::fprintf(stderr, "%s\n", std::string(Message(upstream.status())).c_str());
    return kExitConfig;
  }
  const std::string url = (*upstream)->url();
  loaded.config.server_api_key.value = "dev";
  loaded.config.api_url = url;
  loaded.config.edge_api_url = url;
  loaded.config.ws_url = StrCat("ws", url.substr(4));
  std::printf("dev upstream on %s (faults: %s/_dev/faults)\n", url.c_str(), url.c_str());
  upstream->release();  // lives as long as the process
  return Run(loaded.config, loaded.warnings, /*at_terminal=*/true);
}

int CheckConfig(const Environment& environment, const Arguments& arguments) {
  if (!arguments.empty()) return UsageError("check-config takes no arguments");
  const LoadedConfig loaded = LoadConfig(environment, Purpose::kServe, ReadFile);
  for (const std::string& warning : loaded.warnings) std::fprintf(stderr, "warning: %s\n", warning.c_str());
  if (!loaded.violations.empty()) return ReportViolations(loaded);
  std::fputs(Summarize(environment).c_str(), stdout);
  return kExitOk;
}

}  // namespace sidecar
