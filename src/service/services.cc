#include "service/services.h"

#include <utility>

#include "domain/check.h"

namespace sidecar {

std::string_view Name(AnswerOrigin::Source source) {
  switch (source) {
    case AnswerOrigin::Source::kMemory:
      return "memory";
    case AnswerOrigin::Source::kRedis:
      return "redis";
    case AnswerOrigin::Source::kUpstream:
      return "upstream";
    case AnswerOrigin::Source::kSnapshot:
      return "snapshot";
    case AnswerOrigin::Source::kFallback:
      return "fallback";
    case AnswerOrigin::Source::kNone:
      break;
  }
  return "";
}

// Metrics name them by number.
static_assert(static_cast<size_t>(CheckForm::kCredit) + 1 == kDecisionTypes.size());
static_assert(static_cast<size_t>(AnswerOrigin::Source::kFallback) + 1 == kDecisionSources.size());

Handlers MakeHandlers(const ServiceContext& context) {
  Handlers handlers;
  AddCheckHandlers(context, handlers);
  AddListHandlers(context, handlers);
  AddReportHandlers(context, handlers);
  AddReloadHandler(context, handlers);
  // Reads do so themselves, when they wait for upstream.
  for (const Method method :
       {Method::kReportUsage, Method::kReportUsageBulk, Method::kReportEvents, Method::kReloadEntitlements}) {
    Handler& handler = handlers[static_cast<size_t>(method)];
    handler = [inner = std::move(handler)](Call& call) {
      const TraceScope trace(call.Trace());
      inner(call);
    };
  }
  return handlers;
}

}  // namespace sidecar
