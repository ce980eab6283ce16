// One HTTP/1.1 exchange that is waited for, over TCP or TLS.
#pragma once

#include <string>

#include "ports/http_transport.h"

namespace stigg::sidecar::sdk {

/// Connects, sends, reads the answer (at most 16 MiB) and closes; by `timeout` at the latest. `extra_ca_file`: as
/// ApiOptions has it.
::sidecar::HttpResult Exchange(const ::sidecar::HttpRequest& request, std::chrono::milliseconds timeout,
                               const std::string& extra_ca_file);

}  // namespace stigg::sidecar::sdk
