#include "adapters/json/json.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "absl/time/time.h"
#include "text/text.h"

namespace sidecar {
namespace {

/// Names that the parser compares in one document: as many as in two objects of the largest
/// size, about half a second. A list of entitlements of 16 MiB takes a tenth of it.
constexpr uint64_t kJsonComparisonsMax = kJsonMembersMax * kJsonMembersMax;

/// What the parser would have to cope with.
struct Shape {
  int depth = 0;             // of arrays and objects
  size_t members = 0;        // of the largest object
  uint64_t comparisons = 0;  // of names, all objects together
};

/// Counts outside strings; the text need not be valid. Stops beyond kJsonDepthMax.
Shape ShapeOf(std::string_view text) {
  Shape shape;
  int depth = 0;
  std::array<size_t, kJsonDepthMax + 1> members{};  // by depth, of the object that is open there
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == ':') {
      // The parser compares a name with all before it in the object.
      shape.members = std::max(shape.members, ++members[depth]);
      shape.comparisons += members[depth];
    } else if (c == '{' || c == '[') {
      shape.depth = std::max(shape.depth, ++depth);
      if (depth > kJsonDepthMax) break;
      members[depth] = 0;
    } else if ((c == '}' || c == ']') && depth > 0) {
      --depth;
    }
  }
  return shape;
}

std::optional<WallTime> InRange(double epoch_ms) {
  if (!(epoch_ms >= static_cast<double>(kMinEpochMs) && epoch_ms <= static_cast<double>(kMaxEpochMs))) {
    return std::nullopt;
  }
  return WallTimeFromEpochMs(static_cast<int64_t>(epoch_ms));
}

}  // namespace

absl::StatusOr<Json> ParseJson(std::string_view text) {
  const Shape shape = ShapeOf(text);
  if (shape.depth > kJsonDepthMax) return InvalidArgument("JSON is nested deeper than ", kJsonDepthMax, " levels");
  if (shape.members > kJsonMembersMax) {
    return InvalidArgument("JSON has an object of more than ", kJsonMembersMax, " members");
  }
  if (shape.comparisons > kJsonComparisonsMax) {
    return absl::InvalidArgumentError("JSON has too many objects of thousands of members");
  }
  Json document = Json::parse(text.begin(), text.end(), /*cb=*/nullptr, /*allow_exceptions=*/false);
  if (document.is_discarded()) {
    return absl::InvalidArgumentError(
        StrCat("not valid JSON (", text.size(), " bytes), or a number beyond the range of a double"));
  }
  return document;
}

std::string_view JsonTypeName(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return "null";
    case Json::value_t::object:
      return "an object";
    case Json::value_t::array:
      return "an array";
    case Json::value_t::string:
      return "a string";
    case Json::value_t::boolean:
      return "a boolean";
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned:
    case Json::value_t::number_float:
      return "a number";
    default:
      return "something else";
  }
}

JsonObject::JsonObject(const Json& value, std::string path, absl::Status& error)
    : value_(value), path_(std::move(path)), error_(error) {
  if (!value_.is_object() && error_.ok()) {
    error_ = absl::InvalidArgumentError(
        StrCat(path_.empty() ? "document" : path_, ": expected an object, got ", JsonTypeName(value_)));
  }
}

std::string JsonObject::PathOf(std::string_view name) const {
  return path_.empty() ? std::string(name) : StrCat(path_, ".", name);
}

void JsonObject::Fail(std::string_view name, std::string_view problem) {
  if (error_.ok()) error_ = InvalidArgument(PathOf(name), ": ", problem);
}

const Json* JsonObject::Find(std::string_view name) const {
  if (!value_.is_object()) return nullptr;
  const auto member = value_.find(name);
  return member == value_.end() || member->is_null() ? nullptr : &*member;
}

const Json* JsonObject::FindTyped(std::string_view name, bool (Json::*is)() const noexcept, std::string_view expected) {
  const Json* const member = Find(name);
  if (member == nullptr || (member->*is)()) return member;
  Fail(name, StrCat("expected ", expected, ", got ", JsonTypeName(*member)));
  return nullptr;
}

std::optional<double> JsonObject::Number(std::string_view name) {
  const Json* const member = FindTyped(name, &Json::is_number, "a number");
  return member == nullptr ? std::nullopt : std::optional<double>(member->get<double>());
}

std::optional<bool> JsonObject::Bool(std::string_view name) {
  const Json* const member = FindTyped(name, &Json::is_boolean, "true or false");
  return member == nullptr ? std::nullopt : std::optional<bool>(member->get<bool>());
}

const std::string* JsonObject::Text(std::string_view name) {
  const Json* const member = FindTyped(name, &Json::is_string, "a string");
  return member == nullptr ? nullptr : member->get_ptr<const std::string*>();
}

std::string JsonObject::TextOrEmpty(std::string_view name) {
  const std::string* const text = Text(name);
  return text == nullptr ? std::string() : *text;
}

std::optional<WallTime> JsonObject::Date(std::string_view name) {
  const Json* const member = Find(name);
  if (member == nullptr) return std::nullopt;
  if (member->is_number()) return InRange(std::trunc(member->get<double>()));
  if (member->is_string()) return ParseDate(member->get_ref<const std::string&>());
  Fail(name, StrCat("expected a date (ISO-8601 string or epoch milliseconds), got ", JsonTypeName(*member)));
  return std::nullopt;
}

const Json* JsonObject::Object(std::string_view name) { return FindTyped(name, &Json::is_object, "an object"); }

const Json* JsonObject::Array(std::string_view name) { return FindTyped(name, &Json::is_array, "an array"); }

std::optional<WallTime> ParseDate(std::string_view text) {
  absl::Time time;
  std::string ignored;
  if (!absl::ParseTime(absl::RFC3339_full, absl::string_view(text.data(), text.size()), &time, &ignored))
    return std::nullopt;
  if (time == absl::InfiniteFuture() || time == absl::InfinitePast()) return std::nullopt;
  return InRange(static_cast<double>(absl::ToUnixMillis(time)));
}

std::string Dump(const Json& value) {
  return value.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

std::string DumpIndented(const Json& value) {
  return value.dump(2, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace) + "\n";
}

std::string FormatDate(WallTime time) {
  return absl::FormatTime("%E4Y-%m-%dT%H:%M:%E3SZ", absl::FromUnixMillis(ToEpochMs(time)), absl::UTCTimeZone());
}

}  // namespace sidecar
