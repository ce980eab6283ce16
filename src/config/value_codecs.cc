#include "config/value_codecs.h"

namespace sidecar {

std::vector<std::string> ExplainNumber(std::string_view value) {
  if (!value.starts_with("tcp://") && !value.starts_with("udp://")) return {};
  return {"Kubernetes injects this for a Service of that name: set enableServiceLinks: false on the pod"};
}

std::vector<std::string> ExplainUrl(std::string_view value) {
  if (!Contains(value, "://")) return {"the scheme is missing"};
  return {"without /graphql or /api at the end, user names or a query"};
}

}  // namespace sidecar
