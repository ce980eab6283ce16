// Where in a JSON text something stands, for messages to people who edit that text.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace sidecar {

/// Why `text` is not JSON, with line and column and, for single quotes, trailing commas and
/// comments, what to write instead. OK when it is.
absl::Status DescribeSyntaxError(std::string_view text);

/// A member name as a step of a JSON pointer.
std::string EscapePointer(std::string_view name);

/// Line (from 1) on which the value at a JSON pointer ("/customers/3/id") starts; nullopt
/// when there is none. Reads the text anew: for error paths only.
std::optional<size_t> LineOf(std::string_view text, std::string_view json_pointer);

/// A member that its object has already: a parser keeps one of them without a word.
struct RepeatedMember {
  std::vector<std::string> path;  ///< names of members and indexes of elements, outermost first
  std::string pointer;            ///< the same as a JSON pointer
  size_t line = 0;                ///< of the name that is one too many, from 1
};

/// All of them, in the order of the text, which must be JSON.
std::vector<RepeatedMember> RepeatedMembers(std::string_view text);

}  // namespace sidecar
