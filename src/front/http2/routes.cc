#include "front/http2/routes.h"

#include <string>

#include "absl/container/flat_hash_map.h"
#include "service/methods.h"
#include "text/text.h"

namespace sidecar {

const Route* FindRoute(std::string_view path) {
  static const auto* const routes = [] {
    auto* const made = new absl::flat_hash_map<std::string, Route>;
    for (size_t i = 0; i < kMethodCount; ++i) {
      made->emplace(StrCat("/", kServiceName, "/", kMethodNames[i]), Route{StreamKind::kUnary, static_cast<Method>(i)});
    }
    made->emplace("/grpc.health.v1.Health/Check", Route{.kind = StreamKind::kHealthCheck});
    made->emplace("/grpc.health.v1.Health/Watch", Route{.kind = StreamKind::kHealthWatch});
    made->emplace("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Route{.kind = StreamKind::kReflection});
    made->emplace("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                  Route{.kind = StreamKind::kReflectionAlpha});
    return made;
  }();
  const auto found = routes->find(absl::string_view(path.data(), path.size()));
  return found == routes->end() ? nullptr : &found->second;
}

}  // namespace sidecar
