#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sidecar {

/// Whether a variable that is no setting was probably meant as one: it begins like ours,
/// abbreviates one, or is a slip away from one; and it is neither a well-known variable of
/// others nor one that Kubernetes injects for a Service.
bool LooksLikeOurs(std::string_view name, std::string_view value);

/// Letters to add, leave out, change or swap with their neighbour, from one to the other.
size_t EditDistance(std::string_view a, std::string_view b);

/// The setting whose name is nearest by edit distance; empty when none is near.
std::string NearestName(std::string_view name);

}  // namespace sidecar
