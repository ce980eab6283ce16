#include "service/services.h"

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

Handlers MakeHandlers(const ServiceContext& context) {
  Handlers handlers;
  AddCheckHandlers(context, handlers);
  AddListHandlers(context, handlers);
  AddReportHandlers(context, handlers);
  AddReloadHandler(context, handlers);
  return handlers;
}

}  // namespace sidecar
