#pragma once

#include <string_view>

namespace sidecar {

inline constexpr std::string_view kVersion = SIDECAR_VERSION;  // from CMakeLists.txt

}  // namespace sidecar
