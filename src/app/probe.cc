// health and ready: ask the probes of a running daemon, for images without a shell.
#include <cstdio>

#include "adapters/system/files.h"
#include "app/configuration.h"
#include "app/exit_codes.h"
#include "app/local_http.h"
#include "app/target.h"
#include "app/verbs.h"
#include "text/text.h"

namespace sidecar {
namespace {

constexpr std::chrono::seconds kProbeTimeout{3};

}  // namespace

int Probe(const Environment& environment, const Arguments& arguments, bool ready) {
  if (!arguments.empty()) {
    std::fprintf(stderr, "stigg-sidecar: this verb takes no arguments\n");
    return kExitUsage;
  }
  const LoadedConfig loaded = LoadConfig(environment, Purpose::kClient, ReadFile);
  if (!loaded.violations.empty()) return ReportViolations(loaded);
  const Config& config = loaded.config;
  // Without an HTTP port the probes still answer on a gRPC port that is plaintext.
  const uint16_t plaintext = config.tls.cert_file.empty() ? config.port : config.grpc_port;
  const uint16_t port = config.http_port != 0 ? config.http_port : plaintext;
  if (port == 0) {
    std::fprintf(stderr, "stigg-sidecar: no port answers probes: PORT speaks TLS; set HTTP_PORT or GRPC_PORT\n");
    return kExitConfig;
  }
  std::string asked;
  unsigned status = 0;
  for (const std::string& host : HostsToDial(config.listen_address)) {
    status = AskLocally(host, port, ready ? config.ready_path : config.health_path, "", kProbeTimeout).status;
    if (status != 0) break;
    StrAppend(&asked, asked.empty() ? "" : " and ", HostAndPort(host, port));
  }
  if (status == 200) {
    std::printf("UP\n");
    return kExitOk;
  }
  if (status == 0) {
    std::fprintf(stderr, "stigg-sidecar: nobody answers on %s\n", asked.c_str());
  } else {
    std::fprintf(stderr, "DOWN (HTTP %u)\n", status);
  }
  return kExitFailure;
}

}  // namespace sidecar
