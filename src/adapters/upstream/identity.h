// Who we say we are: the header set of docs/protocol.md section 1.2.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "ports/http_transport.h"

namespace sidecar {

/// Gives the current API key; it may change while the daemon runs (key files are re-read).
/// Thread-safe.
using ApiKeySource = std::function<std::string()>;

struct ProcessIdentity {
  std::string instance_id;  ///< 21 characters, random, one a process
  std::string host_name;
  int64_t process_id = 0;
  int64_t started_at_epoch_ms = 0;
  std::string fingerprint;  ///< MD5 hex of host name, process id and start, concatenated
  std::string version;      ///< of this daemon

  /// Reads host name, process id and clock.
  static ProcessIdentity OfThisProcess(std::string_view version);
};

/// What we send as `source`: the schema's enumeration has no value for a sidecar, and the
/// vendor's own sends this one (docs/protocol.md section 1.2).
inline constexpr std::string_view kSourceName = "NODE_SERVER_SDK";

/// Headers of an Edge request.
HttpHeaders EdgeHeaders(const ProcessIdentity& identity, std::string_view api_key);
/// Headers of a GraphQL request.
HttpHeaders GraphqlHeaders(const ProcessIdentity& identity, std::string_view api_key, std::string_view operation);

}  // namespace sidecar
