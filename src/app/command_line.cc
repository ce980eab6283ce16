#include <cstdio>

#include "app/exit_codes.h"
#include "app/verbs.h"
#include "app/version.h"
#include "config/summary.h"
#include "text/text.h"

namespace sidecar {
namespace {

constexpr std::string_view kUsage = R"(stigg-sidecar: answers entitlement checks for applications billed through Stigg

usage: stigg-sidecar [verb] [arguments]

  serve                      run the sidecar (the default)
  dev [--data FILE] [--upstream-port N] [--upstream-address ADDRESS]
                             run it against a local upstream in the same process: no account,
                             no network (docs/dev.md)
  cache-service              keep Redis current, without answering checks (docs/redis.md)
  check-config [--online [--json]]
                             print the effective configuration, or everything that is wrong with it;
                             --online: whether all that it names is there and lets us in
  health | ready             ask a running sidecar; exit 0 when it is, 1 when it is not
  get CUSTOMER FEATURE [--resource R] [--requested N] [--target HOST:PORT]
                             ask a running sidecar for one entitlement
  explain CUSTOMER FEATURE [--resource R] [--requested N] [--values A,B] [--json]
                             why it is answered so: the rule with its arithmetic, what would flip it
  spool ls | dead [--json]   what waits in the durable spool, per customer; what will not be delivered, and why
  spool drain                deliver it now, without a daemon
  replay FILE [--json]       answer what RECORD_PATH has recorded, and print the answers that differ
  version                    print the version
  help                       print this

exit codes: 0 ok, 1 failure, 2 usage, 69 dependency unavailable, 78 bad configuration

The configuration is read from environment variables; an empty one counts as unset.
)";

int Print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  return kExitOk;
}

}  // namespace

int RunCommandLine(const Environment& environment, Arguments arguments) {
  const std::string verb = arguments.empty() ? "serve" : arguments.front();
  if (!arguments.empty()) arguments.erase(arguments.begin());
  if (verb == "serve") return Serve(environment, arguments);
  if (verb == "dev") return Dev(environment, arguments);
  if (verb == "check-config") return CheckConfig(environment, arguments);
  if (verb == "health" || verb == "ready") return Probe(environment, arguments, verb == "ready");
  if (verb == "get") return Get(environment, arguments);
  if (verb == "explain") return Explain(environment, arguments);
  if (verb == "cache-service") return CacheService(environment, arguments);
  if (verb == "replay") return ReplayVerb(arguments);
  if (verb == "spool") return SpoolVerb(environment, arguments);
  if (verb == "version" || verb == "--version") return Print(StrCat("stigg-sidecar ", kVersion, "\n"));
  if (verb == "help" || verb == "--help" || verb == "-h") return Print(StrCat(kUsage, HelpText()));
  if (verb == "config-reference") return Print(MarkdownReference());  // for the README; scripts/check
  std::fprintf(stderr, "stigg-sidecar: '%s' is not a verb; see stigg-sidecar help\n", verb.c_str());
  return kExitUsage;
}

}  // namespace sidecar
