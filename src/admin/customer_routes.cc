#include "admin/customer_routes.h"

#include <openssl/crypto.h>

#include <memory>
#include <utility>

#include "admin/record_json.h"
#include "core/explanation.h"
#include "core/freshness.h"
#include "ports/trace.h"
#include "text/text.h"

namespace sidecar {
namespace {

ServerResponse Say(int status, std::string_view what) {
  return {.status = status, .body = Json{{"error", what}}.dump() + "\n"};
}

/// The name part of a Host header.
std::string_view HostName(std::string_view host) {
  if (host.starts_with('[')) return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.find(':'));
}

bool IsThisMachine(std::string_view name) { return name == "localhost" || name == "127.0.0.1" || name == "[::1]"; }

std::string_view Origin(RecordOrigin origin) {
  switch (origin) {
    case RecordOrigin::kUpstream:
      return "upstream";
    case RecordOrigin::kRedis:
      return "redis";
    case RecordOrigin::kSnapshot:
      return "snapshot";
  }
  return "";
}

/// How the record came and how far it is trusted.
Json FreshnessJson(const Record& record, MonoTime now, const LiveCover& cover) {
  Json out = {{"from", Origin(record.origin())},
              {"fetchedAt", FormatDate(record.fetched_at_wall())},
              {"ageMs", cover.AgeOf(record, now).count()},
              {"suspect", IsSuspect(record, now, cover)},
              {"keptCurrentByFeed", cover.Covers(record.fetched_at())}};
  if (const int failures = record.refresh_failures.load(std::memory_order_relaxed); failures > 0) {
    out["refreshesFailedInARow"] = failures;
  }
  return out;
}

Json AnswerJson(const CheckAnswer& answer) {
  Json out = {{"hasAccess", answer.has_access}, {"isFallback", answer.is_fallback}};
  if (answer.reason != DeniedReason::kNone) out["accessDeniedReason"] = Name(answer.reason);
  return out;
}

}  // namespace

std::optional<ServerResponse> AdminGuard::Refuse(const ServerRequest& request) const {
  if (const std::string token = token_(); !token.empty()) {
    constexpr std::string_view kBearer = "Bearer ";
    std::string_view given = request.Header("Authorization");
    if (given.starts_with(kBearer)) given.remove_prefix(kBearer.size());
    const bool same = given.size() == token.size() && CRYPTO_memcmp(given.data(), token.data(), token.size()) == 0;
    if (same) return std::nullopt;
    ServerResponse refusal = Say(401, "expected the token of ADMIN_TOKEN_FILE: Authorization: Bearer TOKEN");
    refusal.headers.emplace_back("WWW-Authenticate", "Bearer");
    return refusal;
  }
  if (!request.from_loopback) {
    return Say(403, "this is answered on this machine only; set ADMIN_TOKEN_FILE to ask from elsewhere");
  }
  if (!IsThisMachine(HostName(request.Header("Host"))) || !request.Header("Origin").empty()) {
    return Say(403,
               "without ADMIN_TOKEN_FILE this is not answered to web pages, nor under another name than localhost");
  }
  return std::nullopt;
}

struct CustomerRoutes::Question {
  EntityKey key;
  std::string feature;
  std::string currency;
  double requested = 0;
  std::vector<std::string> values;
  std::optional<TraceContext> trace;  ///< of the request

  static absl::StatusOr<Question> Of(const ServerRequest& request) {
    Question out;
    const std::string customer = QueryValue(request.query, "customer");
    if (customer.empty()) return absl::InvalidArgumentError("customer: expected the id of a customer in the query");
    out.key = EntityKey(customer, QueryValue(request.query, "resource"));
    out.feature = QueryValue(request.query, "feature");
    out.currency = QueryValue(request.query, "currency");
    if (const std::string text = QueryValue(request.query, "requested"); !text.empty()) {
      const std::optional<double> number = ParseNumber<double>(text);
      if (!number.has_value() || !(*number >= 0) || *number > 1e300) {
        return InvalidArgument("requested: expected a number, 0 or more");
      }
      out.requested = *number;
    }
    if (const std::string text = QueryValue(request.query, "values"); !text.empty()) {
      for (const std::string_view value : Split(text, ',')) out.values.emplace_back(value);
    }
    out.trace = TraceContext::Parse(request.Header("traceparent"));
    return out;
  }
};

void CustomerRoutes::Answer(const ServerRequest& request, Respond respond) const {
  if (std::optional<ServerResponse> refusal = guard_.Refuse(request)) return std::move(respond)(*std::move(refusal));
  const std::string_view verb = std::string_view(request.path).substr(kPrefix.size());
  if (verb == "shadow") {
    if (!parts_.shadow) return std::move(respond)(Say(404, "SHADOW_TARGET is not set: no other sidecar is asked"));
    if (request.method != "GET") return std::move(respond)(Say(405, "expected GET"));
    return std::move(respond)({.body = parts_.shadow()});
  }
  const bool reads = verb == "explain";
  if (!reads && verb != "reload" && verb != "purge") {
    return std::move(respond)(
        Say(404, "known are GET /admin/explain, GET /admin/shadow, POST /admin/reload and POST /admin/purge"));
  }
  if (request.method != (reads ? "GET" : "POST")) {
    return std::move(respond)(Say(405, reads ? "expected GET" : "expected POST"));
  }
  absl::StatusOr<Question> question = Question::Of(request);
  if (!question.ok()) return std::move(respond)(Say(400, Message(question.status())));
  if (reads) {
    if (question->feature.empty() == question->currency.empty()) {
      return std::move(respond)(Say(400, "expected one of feature and currency in the query"));
    }
    return Explain(*std::move(question), std::move(respond));
  }
  if (verb == "purge") {
    Tell(Parts::Effect::kPurge, question->key);
    const bool was_there = parts_.cache.Erase(question->key.view());
    return std::move(respond)({.body = DumpIndented({{"purged", was_there}})});
  }
  Tell(Parts::Effect::kReload, question->key);
  parts_.resolver.Reload(
      question->key.view(), parts_.clock.Now() + kWait,
      [respond = std::move(respond)](const Resolution& resolution) mutable {
        const bool known = resolution.record != nullptr && !resolution.record->empty();
        std::move(respond)({.status = resolution.fetched ? 200 : 502,
                            .body = DumpIndented({{"reloaded", resolution.fetched}, {"known", known}})});
      });
}

void CustomerRoutes::Tell(Parts::Effect effect, const EntityKey& key) const {
  if (parts_.heard) parts_.heard(effect, key);
}

void CustomerRoutes::Explain(Question question, Respond respond) const {
  {
    const EpochDomain::Guard guard(parts_.cache.epochs());
    const Record* const record = parts_.cache.Find(question.key.view());
    if (record != nullptr) return std::move(respond)({.body = Explained(question, nullptr)});
  }
  // As a check would.
  const EntityKey key = question.key;
  const TraceScope trace(question.trace);
  Tell(Parts::Effect::kResolve, key);
  parts_.resolver.Resolve(
      key.view(), EntitlementResolver::Patience::kDeadline, parts_.clock.Now() + kWait,
      [this, question = std::move(question), respond = std::move(respond)](const Resolution& resolution) mutable {
        std::move(respond)({.body = Explained(question, &resolution)});
      });
}

/// `resolution`: of a record that was not in memory.
std::string CustomerRoutes::Explained(const Question& question, const Resolution* resolution) const {
  const EpochDomain::Guard guard(parts_.cache.epochs());
  const Record* const record = resolution != nullptr ? resolution->record : parts_.cache.Find(question.key.view());
  std::vector<std::string_view> values(question.values.begin(), question.values.end());
  Check check{.form = question.feature.empty() ? CheckForm::kCredit : CheckForm::kFeature,
              .id = question.feature.empty() ? question.currency : question.feature,
              .ask = {.requested_usage = question.requested, .requested_values = values},
              .configured = &parts_.fallbacks};
  const WallTime wall_now = parts_.clock.WallNow();
  FeatureView feature;
  CreditView credit;
  Facts facts;
  bool raised = false;
  if (record != nullptr) {
    facts.record_empty = record->empty();
    facts.record_reason = record->denied_reason();
    if (check.form == CheckForm::kCredit) {
      if (const int index = record->FindCredit(check.id); index >= 0) {
        record->ReadCredit(static_cast<size_t>(index), credit);
        facts.credit = &credit;
      }
    } else if (const int index = record->FindFeature(check.id); index >= 0) {
      record->ReadFeature(static_cast<size_t>(index), feature);
      raised = parts_.overlay != nullptr && parts_.overlay->Raise(*record, feature, wall_now);
      facts.feature = &feature;
    }
  }
  const Explanation explanation = sidecar::Explain(check, record != nullptr ? &facts : nullptr, wall_now);

  Json out = {{"customer", question.key.customer_id}};
  if (!question.key.resource_id.empty()) out["resource"] = question.key.resource_id;
  out[question.feature.empty() ? "currency" : "feature"] = check.id;
  out["answer"] = AnswerJson(explanation.answer);
  out["rule"] = explanation.rule;
  out["wouldFlip"] = explanation.would_flip;
  const bool fetched = resolution != nullptr && resolution->fetched;
  out["source"] = record == nullptr ? "fallback" : !fetched ? "memory" : resolution->shared ? "redis" : "upstream";
  if (record == nullptr) {
    out["whyUnknown"] = parts_.resolver.available()
                            ? "not in memory, and upstream did not answer in time (see /status)"
                            : "not in memory, and upstream keeps failing and is not asked (see /status)";
  } else {
    out["freshness"] = FreshnessJson(*record, parts_.clock.Now(), parts_.cover);
    out["record"] = RecordJson(record->ToValue());
    if (raised) {
      out["usageOverlay"] = {{"currentUsage", feature.current_usage},
                             {"why", "acknowledged reports that the record does not have yet (USAGE_OVERLAY)"}};
    }
  }
  if (question.trace.has_value()) out["traceId"] = TraceIdText(question.trace->trace_id);
  return DumpIndented(out);
}

}  // namespace sidecar
