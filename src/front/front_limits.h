#pragma once

#include "domain/time.h"

namespace sidecar {

/// What a client may do, whichever front it reaches. Source: design section 11.
struct FrontLimits {
  int message_bytes_max = 4 << 20;
  int metadata_bytes_max = 16 << 10;
  int streams_per_connection_max = 1000;
  int read_bytes_max = 64 << 10;  ///< at a time: no connection keeps others waiting for longer
  Millis handshake_max{20'000};   ///< of TLS and HTTP/2
  /// Clients may ping this often, also without calls (docs/reliability.md, 41).
  Millis ping_interval_min{5'000};
};

}  // namespace sidecar
