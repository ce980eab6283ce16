#pragma once

#include <string>
#include <string_view>

namespace sidecar {

/// Whether a variable that is no setting was probably meant as one: it begins like ours and
/// is not one that Kubernetes injects for a Service.
bool LooksLikeOurs(std::string_view name);

/// The setting whose name is nearest by edit distance; empty when none is near.
std::string NearestName(std::string_view name);

}  // namespace sidecar
