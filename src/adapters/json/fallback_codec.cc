#include "adapters/json/fallback_codec.h"

#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "adapters/json/json.h"
#include "adapters/json/json_position.h"
#include "text/text.h"

namespace sidecar {
namespace {

std::optional<FallbackValue> ReadValue(JsonObject& object) {
  FallbackValue fallback;
  const std::optional<bool> has_access = object.Bool("hasAccess");
  if (!has_access.has_value() && !object.Has("hasAccess")) {
    object.Fail("hasAccess", "expected true or false, got nothing");
  }
  fallback.has_access = has_access.value_or(false);
  fallback.value = object.Number("value");
  if (fallback.value.has_value() &&
      (std::trunc(*fallback.value) != *fallback.value ||
       std::abs(*fallback.value) > static_cast<double>(std::numeric_limits<int32_t>::max()))) {
    object.Fail("value", "expected a whole number within 32 bits");
  }
  fallback.usage_limit = object.Number("usageLimit");
  fallback.unlimited = object.Bool("isUnlimited");
  if (const Json* const values = object.Array("enumValues")) {
    fallback.enum_values.emplace();
    for (const Json& value : *values) {
      if (!value.is_string()) {
        object.Fail("enumValues", StrCat("expected strings, got ", JsonTypeName(value)));
        break;
      }
      fallback.enum_values->push_back(value.get<std::string>());
    }
  }
  return fallback;
}

}  // namespace

absl::StatusOr<FallbackTable> ParseFallbacks(std::string_view text) {
  const absl::StatusOr<Json> document = ParseJson(text);
  if (!document.ok()) {
    const absl::Status syntax = DescribeSyntaxError(text);
    return syntax.ok() ? document.status() : syntax;
  }
  if (!document->is_object()) {
    return absl::InvalidArgumentError(
        StrCat("expected a JSON object of feature id -> fallback, got ", JsonTypeName(*document)));
  }
  absl::Status error;
  FallbackTable table;
  for (const auto& [feature_id, value] : document->items()) {
    JsonObject object(value, feature_id, error);
    std::optional<FallbackValue> fallback = ReadValue(object);
    if (!error.ok()) return error;
    table.Add(feature_id, *std::move(fallback));
  }
  return table;
}

}  // namespace sidecar
