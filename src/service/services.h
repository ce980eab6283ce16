// What handlers work with, and how they are made.
#pragma once

#include <array>

#include "cache/entitlement_cache.h"
#include "core/entitlement_resolver.h"
#include "core/live_cover.h"
#include "core/metrics.h"
#include "core/usage_overlay.h"
#include "core/usage_reporter.h"
#include "domain/fallback.h"
#include "ports/clock.h"
#include "service/call.h"
#include "service/methods.h"

namespace sidecar {

struct ServiceSettings {
  /// For calls without a deadline of their own, and at most for the others.
  Millis read_timeout{10'000};
  Millis report_timeout{60'000};
  /// Reloads answer true without asking anybody (docs/protocol.md section 8).
  bool offline = false;
  /// Usage reports may be spooled although the caller does not say so (docs/adr/0014).
  bool spool_usage = false;
};

/// Everything must outlive the handlers.
struct ServiceContext {
  EntitlementCache& cache;
  EntitlementResolver& resolver;
  const LiveCover& cover;
  UsageReporter& reporter;
  const FallbackTable& fallbacks;
  Clock& clock;
  Metrics& metrics;
  ServiceSettings settings;
  const UsageOverlay* overlay = nullptr;  ///< nullptr: reads see what the record has, and no more
};

using Handlers = std::array<Handler, kMethodCount>;

/// One handler a method. Thread-safe.
Handlers MakeHandlers(const ServiceContext& context);

// The parts of it.
void AddCheckHandlers(const ServiceContext& context, Handlers& handlers);
void AddListHandlers(const ServiceContext& context, Handlers& handlers);
void AddReportHandlers(const ServiceContext& context, Handlers& handlers);
void AddReloadHandler(const ServiceContext& context, Handlers& handlers);

}  // namespace sidecar
