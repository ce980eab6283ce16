// JSON from outside, read defensively: never throws, nesting is capped, a value of the wrong
// type is an error that says where it stands, what was seen and what is accepted.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "domain/time.h"
#include "nlohmann/json.hpp"

namespace sidecar {

/// Keeps the order of members: lists answer in upstream's order. Finding a member takes time
/// in proportion to their number, so that an object's parsing takes its square.
using Json = nlohmann::ordered_json;

inline constexpr int kJsonDepthMax = 64;
inline constexpr size_t kJsonMembersMax = 10'000;

/// Parses a document. INVALID_ARGUMENT: not JSON, nested deeper than kJsonDepthMax, an object
/// of more than kJsonMembersMax members (or several near that), or a number that no double
/// holds (1e400).
absl::StatusOr<Json> ParseJson(std::string_view text);

/// One object's members, read by name and type. An absent or null member reads as "not
/// there"; one of the wrong type reads so too and is remembered: status() tells the first.
/// Lives on the stack of a decoder; holds references only.
class JsonObject {
 public:
  /// `path` names the object in errors, e.g. "data.entitlements[3]". `value` may be anything:
  /// what is not an object is an error. `error` is shared by all readers of one document.
  JsonObject(const Json& value, std::string path, absl::Status& error);

  std::optional<double> Number(std::string_view name);
  std::optional<bool> Bool(std::string_view name);
  /// nullptr when not there.
  const std::string* Text(std::string_view name);
  std::string TextOrEmpty(std::string_view name);
  /// An ISO-8601 string or a number of ms since the epoch (docs/protocol.md section 1.3). A
  /// date that cannot be read, or is out of range (domain/time.h), is as if it were absent.
  std::optional<WallTime> Date(std::string_view name);
  /// nullptr when not there.
  const Json* Object(std::string_view name);
  const Json* Array(std::string_view name);

  bool Has(std::string_view name) const { return Find(name) != nullptr; }
  std::string PathOf(std::string_view name) const;
  /// Records an error about a member.
  void Fail(std::string_view name, std::string_view problem);

 private:
  const Json* Find(std::string_view name) const;
  const Json* FindTyped(std::string_view name, bool (Json::*is)() const noexcept, std::string_view expected);

  const Json& value_;
  const std::string path_;
  absl::Status& error_;
};

/// "a string", "an object", … for error texts.
std::string_view JsonTypeName(const Json& value);

/// On one line; what is no UTF-8 is replaced.
std::string Dump(const Json& value);
/// For people: indented by two, ends with a newline.
std::string DumpIndented(const Json& value);

/// Reads an ISO-8601 instant with zone, e.g. "2026-03-02T09:15:30.250Z".
std::optional<WallTime> ParseDate(std::string_view text);
/// Writes ISO-8601 UTC with milliseconds.
std::string FormatDate(WallTime time);

}  // namespace sidecar
