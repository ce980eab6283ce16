// How the verbs ask the HTTP port of a daemon on this machine.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace sidecar {

struct LocalAnswer {
  unsigned status = 0;  ///< 0: nobody answered in time
  std::string body;
};

/// GET `target` (encoded). `token`: sent as a bearer's; empty: none.
LocalAnswer AskLocally(const std::string& host, uint16_t port, const std::string& target, const std::string& token,
                       std::chrono::seconds timeout);

/// Everything but letters, digits and -._~ as %XX.
std::string PercentEncode(std::string_view text);

}  // namespace sidecar
