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

enum class Channel : uint8_t { kEdge, kGraphql, kWebSocket };

struct Fault {
  std::optional<Channel> channel;  ///< nullopt: edge and graphql
  enum class Kind : uint8_t {
    kDelay,
    kStatus,
    kClose,
    kCloseAfter,
    kReset,
    kHalfBody,
    kBadJson,
    kSilent,
    kRefuse,
    kError
  } kind{};
  Millis delay{0};           ///< kDelay: before the ordinary answer
  int status = 503;          ///< kStatus, kRefuse
  int retry_after_secs = 0;  ///< kStatus, kRefuse: sent as Retry-After when more than 0
  uint16_t code = 1012;      ///< kClose of a WebSocket: a code that may be sent, 1000 to 4999
  std::string reason;        ///< kClose of a WebSocket, at most 123 bytes; kError: the message
  int64_t times = -1;        ///< requests still to hit; negative: for ever
};

/// Thread-safe.
class Faults {
 public:
  /// Reads {"fault": kind, "channel"?, "times"?} and the members that this kind has: delayMs,
  /// status, retryAfterSecs, code, reason (docs/dev.md). INVALID_ARGUMENT names the member,
  /// what was seen and what is accepted; a member that the kind does not have is refused.
  static absl::StatusOr<Fault> Parse(const Json& json);

  void Add(const Fault& fault);
  void Clear();
  /// The fault that hits this HTTP request, if any; counts it down.
  std::optional<Fault> Take(Channel channel);
  /// The same for what this kind hits on a WebSocket: an upgrade, a connection, a subscribe or
  /// a push (docs/dev.md).
  std::optional<Fault> TakeOnWebSocket(Fault::Kind kind);
  /// What is switched on, with all members; null where nothing was said.
  Json List() const;

 private:
  template <typename Matches>
  std::optional<Fault> TakeFirst(Matches matches);

  mutable absl::Mutex mu_;
  std::vector<Fault> faults_ ABSL_GUARDED_BY(mu_);
};

}  // namespace sidecar::dev
