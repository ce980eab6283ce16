#pragma once

#include <string_view>

#include "front/http2/call.h"

namespace sidecar {

struct Route {
  StreamKind kind = StreamKind::kUnary;
  Method method{};  ///< where `kind` is kUnary
};

/// What a request's path asks for; nullptr: nothing that is here.
const Route* FindRoute(std::string_view path);

}  // namespace sidecar
