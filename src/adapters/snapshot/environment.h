// Which environment's data a snapshot holds, without telling its key.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/snapshot/snapshot.pb.h"

namespace sidecar::snapshot {

struct Environment {
  std::vector<std::string> urls;         ///< of the APIs that the data comes from
  std::function<std::string()> api_key;  ///< the one in use now; thread-safe
};

/// Writes hashes of the URLs and, salted anew each time, of the key.
void Describe(const Environment& environment, stigg::sidecar::snapshot::Header& header);

/// Empty when the header describes this environment, else what differs.
std::string_view Difference(const Environment& environment, const stigg::sidecar::snapshot::Header& header);

}  // namespace sidecar::snapshot
