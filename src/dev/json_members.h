#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "adapters/json/json.h"

namespace sidecar::dev {

// What clients send is read leniently: a member of another type is as if it were not there.

inline const Json* FindMember(const Json& object, std::string_view name) {
  if (!object.is_object()) return nullptr;
  const auto member = object.find(name);
  return member == object.end() ? nullptr : &*member;
}

/// Empty when it is not there.
inline std::string TextOf(const Json& object, std::string_view name) {
  const Json* const member = FindMember(object, name);
  return member != nullptr && member->is_string() ? member->get<std::string>() : "";
}

template <typename T>
Json OrNull(const std::optional<T>& value) {
  return value.has_value() ? Json(*value) : Json();
}
inline Json DateOrNull(std::optional<WallTime> time) { return time.has_value() ? Json(FormatDate(*time)) : Json(); }

}  // namespace sidecar::dev
