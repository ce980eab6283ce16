// serve, dev and check-config.
#include <google/protobuf/stubs/logging.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <future>
#include <memory>
#include <thread>

#include "adapters/http/cpprest_transport.h"
#include "adapters/log/logging.h"
#include "adapters/system/files.h"
#include "app/configuration.h"
#include "app/daemon.h"
#include "app/exit_codes.h"
#include "app/online_check.h"
#include "app/options.h"
#include "app/parent_watch.h"
#include "app/process.h"
#include "app/signals.h"
#include "app/supervisor.h"
#include "app/verbs.h"
#include "dev/dev_upstream.h"
#include "text/text.h"

namespace sidecar {
namespace {

int UsageError(std::string_view message) {
  std::fprintf(stderr, "stigg-sidecar: %.*s\n", static_cast<int>(message.size()), message.data());
  return kExitUsage;
}

/// After Ctrl-C nobody waits for calls that are in flight; what ends by itself may do so.
void DrainAtTerminal(Daemon& daemon) {
  constexpr std::chrono::milliseconds kLongest{300};
  auto drained = std::make_shared<std::promise<void>>();
  std::thread([&daemon, drained] {
    daemon.Drain(Millis(0));
    drained->set_value();
  }).detach();
  drained->get_future().wait_for(kLongest);
}

int Run(const LoadedConfig& loaded, const Environment& environment, bool at_terminal) {
  const Config& config = loaded.config;
  auto* const parent = new ParentWatch();  // its timers never end
  BeginProcess(loaded);
  // protobuf reports unparsable requests on standard error; we answer them instead.
  google::protobuf::SetLogHandler(nullptr);

  auto* const daemon = new Daemon(config, EffectiveConfiguration(loaded));  // never destroyed, see Daemon
  Signals signals(daemon->io().context());
  if (absl::Status status = daemon->Start(); !status.ok()) EndUnstarted(status);
  std::printf("%s\nSidecar is ready\n", daemon->Describe().c_str());
  std::fflush(stdout);
  auto* const supervisor = new Supervisor(environment);  // its timers never end
  supervisor->Ready(daemon->clock(), daemon->timers());
  if (config.end_with_parent) parent->Begin(daemon->clock(), daemon->timers());
  const int signal = signals.Wait();
  supervisor->Stopping();
  if (at_terminal && signal == SIGINT) {
    DrainAtTerminal(*daemon);
  } else {
    daemon->Drain(config.drain_settle);
  }
  EndProcess(kExitOk);
}

}  // namespace

int Serve(const Environment& environment, const Arguments& arguments) {
  if (!arguments.empty()) return UsageError("serve takes no arguments; it is configured by environment variables");
  CpprestTransport::SizeThreadPool();
  const LoadedConfig loaded = LoadWithFiles(environment, Purpose::kServe, ReadFile);
  if (!loaded.violations.empty()) return ReportViolations(loaded);
  return Run(loaded, environment, /*at_terminal=*/false);
}

int Dev(const Environment& environment, const Arguments& arguments) {
  const absl::StatusOr<ParsedArguments> parsed =
      ParseArguments(arguments, {"--data", "--upstream-port", "--upstream-address"});
  if (!parsed.ok()) return UsageError(Message(parsed.status()));
  if (!parsed->positional.empty()) {
    return UsageError("dev takes --data FILE, --upstream-port N and --upstream-address ADDRESS only");
  }
  const std::string port_text = parsed->Option("--upstream-port");
  const std::optional<uint16_t> upstream_port = ParseNumber<uint16_t>(port_text);
  if (!port_text.empty() && !upstream_port.has_value()) {
    return UsageError("--upstream-port needs a port, 0 to 65535");
  }
  CpprestTransport::SizeThreadPool();
  LoadedConfig loaded = LoadWithFiles(environment, Purpose::kDev, ReadFile);
  if (!loaded.violations.empty()) return ReportViolations(loaded);

  static SystemClock clock;
  dev::DevUpstream::Options options{.data_file = parsed->Option("--data"), .port = upstream_port.value_or(0)};
  if (const std::string address = parsed->Option("--upstream-address"); !address.empty()) options.address = address;
  auto upstream = dev::DevUpstream::Start(options, clock);
  if (absl::IsUnavailable(upstream.status())) {
    std::fprintf(stderr,
                 "stigg-sidecar: %s. Choose another --upstream-port or --upstream-address, or leave them out for a "
                 "free port of 127.0.0.1\n",
                 std::string(Message(upstream.status())).c_str());
    return kExitConfig;
  }
  if (!upstream.ok()) {
    std::fprintf(stderr, "%s\n", std::string(Message(upstream.status())).c_str());  // one line a mistake
    return kExitConfig;
  }
  const std::string url = (*upstream)->url();
  loaded.config.server_api_key.value = "dev";
  loaded.config.api_url = url;
  loaded.config.edge_api_url = url;
  loaded.config.ws_url = StrCat("ws", url.substr(4));
  for (const std::string_view name : {"SERVER_API_KEY", "API_URL", "EDGE_API_URL", "WS_URL"}) {
    loaded.origins[name] = {.kind = Origin::Kind::kDerived, .note = "from the dev upstream"};
  }
  std::printf("dev upstream on %s (faults: %s/_dev/faults)\n", url.c_str(), url.c_str());
  (void)upstream->release();  // lives as long as the process
  return Run(loaded, environment, /*at_terminal=*/true);
}

namespace {

int PrintFindings(const std::vector<OnlineFinding>& findings, bool json) {
  const std::string text = json ? FindingsJson(findings) : FindingsText(findings);
  std::fwrite(text.data(), 1, text.size(), stdout);
  const bool failed = std::ranges::any_of(
      findings, [](const OnlineFinding& each) { return each.verdict == OnlineFinding::Verdict::kFailed; });
  EndProcess(failed ? kExitUnavailable : kExitOk);  // without destructors: what did not answer may still be under way
}

}  // namespace

int CheckConfig(const Environment& environment, const Arguments& arguments) {
  Arguments options = arguments;
  const bool online = std::erase(options, "--online") > 0;
  const bool json = std::erase(options, "--json") > 0;
  if (!options.empty() || (json && !online)) return UsageError("check-config takes --online, and with it --json, only");
  const LoadedConfig loaded = LoadWithFiles(environment, Purpose::kServe, ReadFile);
  if (!loaded.violations.empty()) return ReportViolations(loaded);
  for (const std::string& warning : loaded.warnings) std::fprintf(stderr, "warning: %s\n", warning.c_str());
  if (online) {
    StartLogging("error", LogFormat::kText);  // on standard error: the findings are on standard output
    return PrintFindings(CheckOnline(loaded.config), json);
  }
  for (const std::string& line : EffectiveConfiguration(loaded)) std::printf("%s\n", line.c_str());
  return kExitOk;
}

}  // namespace sidecar
