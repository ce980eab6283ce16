// The composition root: everything that a serving process consists of, in the order of its
// lifetime, and its life from start to drain.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "adapters/clock/system_clock.h"
#include "adapters/clock/system_random.h"
#include "adapters/http_server/http_server.h"
#include "adapters/net/asio_timers.h"
#include "adapters/net/io_thread.h"
#include "admin/admin_routes.h"
#include "admin/customer_routes.h"
#include "admin/readiness.h"
#include "app/recording_wiring.h"
#include "app/redis_wiring.h"
#include "app/shadow_wiring.h"
#include "app/snapshot_wiring.h"
#include "app/spool_wiring.h"
#include "app/tls_files.h"
#include "app/trace_wiring.h"
#include "app/upstream.h"
#include "cache/entitlement_cache.h"
#include "config/config.h"
#include "core/background_refresh.h"
#include "core/entitlement_resolver.h"
#include "core/feed_intake.h"
#include "core/live_cover.h"
#include "core/metrics.h"
#include "core/record_door.h"
#include "core/usage_overlay.h"
#include "core/usage_reporter.h"
#include "front/fronts.h"
#include "front/health_state.h"
#include "front/listeners.h"
#include "service/services.h"

namespace sidecar {

/// One serving process. Start, then Drain, then the process ends: a Daemon that was started
/// is never destroyed, since fetches may still be under way.
class Daemon {
 public:
  /// `configuration`: what is in force, a line a setting, for /status.
  Daemon(const Config& config, std::vector<std::string> configuration);

  /// Builds the upstream, opens the listeners, starts answering. INVALID_ARGUMENT: the
  /// configuration cannot work (exit 78); the message names the fix.
  absl::Status Start();

  /// Stops as design section 13 says: not ready, settle, close the door, finish, end.
  /// `settle` is the configured one, or none when a person at a terminal waits.
  void Drain(Millis settle);

  /// One line about the limits chosen, for the start of the log.
  std::string Describe() const;

  IoThread& io() { return io_; }
  Clock& clock() { return clock_; }
  Timers& timers() { return timers_; }

 private:
  absl::Status Listen();
  void StartFeed();
  decltype(CustomerRoutes::Parts::heard) AdminEffects();
  std::function<std::string()> ShadowText();
  // What the core is given: the real ones, or those of a recording.
  Clock& CoreClock() { return recording_ ? recording_->clock() : clock_; }
  Random& CoreRandom() { return recording_ ? recording_->random() : static_cast<Random&>(random_); }
  std::string MetricsText() const;
  std::string StatusText() const;
  void AnswerHttp(const ServerRequest& request, Respond respond) const;
  void StopFeed();
  void WaitForIdle(MonoTime until);

  const Config config_;
  const std::vector<std::string> configuration_;
  SystemClock clock_;
  const WallTime started_at_ = clock_.WallNow();
  SystemRandom random_;
  Metrics metrics_;
  const std::unique_ptr<RecordingWiring> recording_;  // nullptr: nothing is recorded
  std::string cache_limit_source_;
  Definitions definitions_;
  EpochDomain epochs_;
  EntitlementCache cache_;
  IoThread io_;
  AsioTimers timers_;
  LiveCover cover_;
  RecordDoor door_;
  std::unique_ptr<TraceWiring> tracing_;  // nullptr: spans are not recorded
  std::unique_ptr<Upstream> upstream_;
  std::unique_ptr<RedisWiring> redis_;  // nullptr: there is none
  std::unique_ptr<EntitlementResolver> resolver_;
  std::unique_ptr<BackgroundRefresh> refresh_;
  std::unique_ptr<FeedIntake> intake_;
  std::unique_ptr<SnapshotWiring> snapshot_;  // nullptr: there is none
  std::unique_ptr<UsageOverlay> overlay_;     // nullptr: USAGE_OVERLAY is off
  std::unique_ptr<SpoolWiring> spool_;        // nullptr: there is none
  std::unique_ptr<UsageReporter> reporter_;
  std::unique_ptr<Shadow> shadow_;  // nullptr: nobody else is asked
  Handlers handlers_;
  HealthState health_;
  Readiness readiness_;
  const AdminRoutes admin_routes_;
  std::unique_ptr<CustomerRoutes> customer_routes_;
  HttpServer admin_server_;
  HttpServer probe_server_;
  size_t queues_;
  std::unique_ptr<TlsFiles> tls_;  // nullptr: PORT is plaintext
  std::unique_ptr<Fronts> front_;
  std::unique_ptr<Listeners> listeners_;
};

}  // namespace sidecar
