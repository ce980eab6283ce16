// Which upstream the daemon has: the cloud over HTTP, a world in memory, or nobody. The rest
// of the daemon sees only the ports.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "adapters/feed/feed_status.h"
#include "app/api_key.h"
#include "config/config.h"
#include "core/circuit_breaker.h"
#include "core/metrics.h"
#include "ports/change_feed.h"
#include "ports/clock.h"
#include "ports/entitlement_source.h"
#include "ports/random.h"
#include "ports/timers.h"
#include "ports/trace.h"
#include "ports/usage_sink.h"

namespace sidecar {

/// For metrics and /status.
struct UpstreamStatus {
  CircuitBreaker::State edge_breaker;
  CircuitBreaker::State graphql_breaker;
  std::optional<FeedStatus> feed;
};

class Upstream {
 public:
  virtual ~Upstream() = default;

  virtual EntitlementSource& source() = 0;
  virtual EntitlementSource& reload_source() = 0;
  virtual UsageSink& sink() = 0;
  /// nullptr: there is none, and records live by ENTITLEMENTS_TTL_SECS.
  virtual ChangeFeed* feed() { return nullptr; }
  virtual UpstreamStatus status() const { return {}; }

  /// Tries upstream once and calls `ended`, whatever the outcome (docs/protocol.md 1.6).
  virtual void FirstAttempt(absl::AnyInvocable<void() &&> ended) = 0;
};

struct UpstreamTools {
  Clock& clock;
  Timers& timers;
  Random& random;
  Metrics& metrics;
  boost::asio::io_context& io;  ///< runs the timers too
  Tracer* tracer = nullptr;     ///< nullptr: spans are not recorded
};

/// Chooses by configuration. INVALID_ARGUMENT: OFFLINE_DATA_FILE cannot be used.
absl::StatusOr<std::unique_ptr<Upstream>> MakeUpstream(const Config& config, const UpstreamTools& tools);

}  // namespace sidecar
