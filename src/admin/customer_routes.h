// What the HTTP port tells and does of one customer, for those who may: explain, reload, purge.
#pragma once

#include <functional>
#include <string>

#include "adapters/http_server/http_server.h"
#include "cache/entitlement_cache.h"
#include "core/entitlement_resolver.h"
#include "core/live_cover.h"
#include "core/usage_overlay.h"
#include "domain/fallback.h"
#include "ports/clock.h"

namespace sidecar {

/// Who may use these routes: with a token whoever sends it; without one, whoever calls from this
/// machine by a name of this machine, so that a page in a browser cannot. Source: design section 2.
class AdminGuard {
 public:
  /// Gives the token in force; empty: there is none. Asked for each request, since it may be rotated.
  using Token = std::function<std::string()>;

  explicit AdminGuard(Token token) : token_(std::move(token)) {}

  /// What to answer somebody who may not; nullopt: they may.
  std::optional<ServerResponse> Refuse(const ServerRequest& request) const;

 private:
  const Token token_;
};

/// GET /admin/explain, GET /admin/shadow, POST /admin/reload, POST /admin/purge; docs/operations.md has their
/// parameters and answers. Thread-safe.
class CustomerRoutes {
 public:
  struct Parts {
    EntitlementCache& cache;
    EntitlementResolver& resolver;
    const LiveCover& cover;
    const FallbackTable& fallbacks;
    Clock& clock;
    const UsageOverlay* overlay = nullptr;  ///< nullptr: there is none
    /// What a request is about to do to the core.
    enum class Effect : uint8_t { kPurge, kReload, kResolve };
    std::function<void(Effect, const EntityKey&)> heard;  ///< of each; empty: nobody does
    std::function<std::string()> shadow;  ///< JSON of answers that another sidecar gave otherwise; empty: none is asked
  };

  static constexpr std::string_view kPrefix = "/admin/";
  /// Longest wait for a record that is not in memory.
  static constexpr Millis kWait{5'000};

  CustomerRoutes(const Parts& parts, AdminGuard guard) : parts_(parts), guard_(std::move(guard)) {}

  /// Answers a request whose path begins with kPrefix.
  void Answer(const ServerRequest& request, Respond respond) const;

 private:
  struct Question;

  void Tell(Parts::Effect effect, const EntityKey& key) const;
  void Explain(Question question, Respond respond) const;
  std::string Explained(const Question& question, const Resolution* resolution) const;

  const Parts parts_;
  const AdminGuard guard_;
};

}  // namespace sidecar
