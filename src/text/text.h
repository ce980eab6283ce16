// Text helpers on std::string_view. Debian's abseil is built with a string_view of its own
// that does not convert from the standard's, so its string functions are not used; {fmt}
// does the formatting (docs/adr/0003).
#pragma once

#include <fmt/format.h>

#include <charconv>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace sidecar {

/// Writes the arguments one after the other: texts as they are, numbers in the shortest form
/// that reads back.
template <typename... Args>
void StrAppend([[maybe_unused]] std::string* out, const Args&... args) {
  (fmt::format_to(std::back_inserter(*out), "{}", args), ...);
}

template <typename... Args>
std::string StrCat(const Args&... args) {
  std::string out;
  StrAppend(&out, args...);
  return out;
}

/// A status with a message put together from the arguments.
template <typename... Args>
absl::Status Error(absl::StatusCode code, const Args&... args) {
  return absl::Status(code, StrCat(args...));
}
template <typename... Args>
absl::Status InvalidArgument(const Args&... args) {
  return Error(absl::StatusCode::kInvalidArgument, args...);
}
template <typename... Args>
absl::Status Unavailable(const Args&... args) {
  return Error(absl::StatusCode::kUnavailable, args...);
}

inline std::string_view Message(const absl::Status& status) {
  return {status.message().data(), status.message().size()};
}

inline bool Contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }
bool EqualsIgnoreCase(std::string_view a, std::string_view b);
bool EndsWithIgnoreCase(std::string_view text, std::string_view suffix);
std::string ToLower(std::string_view text);
std::string ToUpper(std::string_view text);
std::string_view StripWhitespace(std::string_view text);
std::string ReplaceAll(std::string_view text, std::string_view from, std::string_view to);
std::vector<std::string_view> Split(std::string_view text, char separator);

/// "a, b, c" from a range of texts.
template <typename Range>
std::string Join(const Range& texts, std::string_view separator) {
  std::string out;
  for (const auto& text : texts) {
    if (!out.empty()) out.append(separator);
    out.append(std::string_view(text));
  }
  return out;
}

inline bool IsAlphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
inline bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

/// A number that takes the whole text; nullopt otherwise, or when it is out of range.
template <typename T>
std::optional<T> ParseNumber(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

/// For a line of a log, whatever a peer said: at most 300 bytes, a '?' for each control character.
std::string OneLine(std::string_view text);

/// Lower-case hexadecimal.
std::string Hex(std::string_view bytes);

}  // namespace sidecar
