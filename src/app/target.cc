#include "app/target.h"

#include "text/text.h"

namespace sidecar {

std::vector<std::string> HostsToDial(const std::string& listen_address) {
  if (listen_address == "0.0.0.0") return {"127.0.0.1"};
  // Every spelling of the unspecified address: "::", "0::", "::0", …
  if (listen_address.find_first_not_of("0:") == std::string::npos) return {"127.0.0.1", "::1"};
  return {listen_address};
}

std::string HostAndPort(const std::string& host, uint16_t port) {
  return Contains(host, ":") ? StrCat("[", host, "]:", port) : StrCat(host, ":", port);
}

GrpcTarget GrpcTargetOf(const Config& config) {
  if (!config.grpc_socket.empty()) {
    const std::string target = StrCat("unix:", config.grpc_socket);
    return {.address = target, .shown = target};
  }
  const std::vector<std::string> hosts = HostsToDial(config.listen_address);
  GrpcTarget target;
  target.tls = !config.tls.cert_file.empty() && config.grpc_port == 0;
  const uint16_t port = config.tls.cert_file.empty() || target.tls ? config.port : config.grpc_port;
  for (const std::string& host : hosts) {
    // One list has one family: IPv4 addresses go into a list of IPv6 ones as mapped.
    const bool mapped = hosts.size() > 1 && !Contains(host, ":");
    StrAppend(&target.address, target.address.empty() ? "" : ",",
              HostAndPort(mapped ? StrCat("::ffff:", host) : host, port));
    StrAppend(&target.shown, target.shown.empty() ? "" : " and ", HostAndPort(host, port));
  }
  target.address.insert(0, Contains(target.address, "[") ? "ipv6:" : "ipv4:");
  return target;
}

}  // namespace sidecar
