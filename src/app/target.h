// Where the verbs that ask a running daemon find it: on this machine, by its configuration.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"

namespace sidecar {

/// Addresses at which a daemon that listens on `listen_address` can be reached, the likelier
/// first: an unspecified address is every local one. `::` is IPv4 too, and what `dev` leaves
/// at its default is 127.0.0.1; on a machine without IPv4 it is ::1.
std::vector<std::string> HostsToDial(const std::string& listen_address);

/// "127.0.0.1:8443", "[::1]:8443".
std::string HostAndPort(const std::string& host, uint16_t port);

struct GrpcTarget {
  std::string address;  ///< as grpc::CreateChannel takes it
  std::string shown;    ///< for people
  bool tls = false;
};

/// The Unix socket where there is one, else PORT; where that speaks TLS, GRPC_PORT if there is one.
GrpcTarget GrpcTargetOf(const Config& config);

}  // namespace sidecar
