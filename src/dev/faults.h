// Faults that can be switched on while `dev` runs, over its control endpoint (docs/dev.md).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "adapters/http_server/http_server.h"
#include "adapters/json/json.h"
#include "domain/time.h"

namespace sidecar::dev {

enum class Channel : uint8_t { kEdge, kGraphql };

struct Fault {
  std::optional<Channel> channel;  ///< nullopt: both
  enum class Kind : uint8_t { kDelay, kStatus, kClose, kCloseAfter, kReset, kHalfBody, kBadJson, kSilent } kind{};
  Millis delay{0};           ///< kDelay: before the ordinary answer
  int status = 503;          ///< kStatus
  int retry_after_secs = 0;  ///< kStatus: sent as Retry-After when more than 0
  int64_t times = -1;        ///< requests still to hit; negative: for ever
};

/// Thread-safe.
class Faults {
 public:
  /// Reads {"fault": kind, "channel"?, "times"?, "delayMs"?, "status"?, "retryAfterSecs"?}.
  static absl::StatusOr<Fault> Parse(const Json& json);

  void Add(const Fault& fault);
  void Clear();
  /// The fault that hits this request, if any; counts it down.
  std::optional<Fault> Take(Channel channel);
  Json List() const;

 private:
  mutable absl::Mutex mu_;
  std::vector<Fault> faults_ ABSL_GUARDED_BY(mu_);
};

}  // namespace sidecar::dev
