#include "adapters/json/json_position.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <set>
#include <utility>
#include <vector>

#include "nlohmann/json.hpp"
#include "text/text.h"

namespace sidecar {
namespace {

struct Position {
  size_t line = 1;
  size_t column = 1;
};

Position PositionAt(std::string_view text, size_t offset) {
  const std::string_view before = text.substr(0, std::min(offset, text.size()));
  const size_t newline = before.rfind('\n');
  return {.line = 1 + static_cast<size_t>(std::count(before.begin(), before.end(), '\n')),
          .column = newline == std::string_view::npos ? before.size() + 1 : before.size() - newline};
}

/// Follows the parser and keeps the pointer of the value being read. Stops at the first
/// error, or when the wanted value begins.
class PointerTracker : public nlohmann::json_sax<nlohmann::json> {
 public:
  PointerTracker(std::string_view wanted, const size_t& consumed) : wanted_(wanted), consumed_(consumed) {}

  bool null() override { return Value(); }
  bool boolean(bool) override { return Value(); }
  bool number_integer(number_integer_t) override { return Value(); }
  bool number_unsigned(number_unsigned_t) override { return Value(); }
  bool number_float(number_float_t, const string_t&) override { return Value(); }
  bool string(string_t&) override { return Value(); }
  bool binary(binary_t&) override { return Value(); }
  bool start_object(std::size_t) override { return Open(/*array=*/false); }
  bool start_array(std::size_t) override { return Open(/*array=*/true); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }

  bool key(string_t& name) override {
    levels_.back().step = EscapePointer(name);
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) override {
    error_position = position;
    error_text = error.what();
    return false;
  }

  std::optional<size_t> found_at;        // offset just after the value's first token
  std::optional<size_t> error_position;  // 1-based count of bytes read
  std::string error_text;

 private:
  struct Level {
    bool array = false;
    size_t index = 0;
    std::string step;
  };

  std::string Pointer() const {
    std::string pointer;
    for (const Level& level : levels_) {
      StrAppend(&pointer, "/", level.array ? StrCat(level.index) : level.step);
    }
    return pointer;
  }

  /// False stops the parser: the wanted value begins here.
  bool Begin() {
    if (Pointer() != wanted_) return true;
    found_at = consumed_;
    return false;
  }

  void Advance() {
    if (!levels_.empty() && levels_.back().array) ++levels_.back().index;
  }

  bool Value() {
    if (!Begin()) return false;
    Advance();
    return true;
  }

  bool Open(bool array) {
    if (!Begin()) return false;
    levels_.push_back({.array = array});
    return true;
  }

  bool Close() {
    levels_.pop_back();
    Advance();
    return true;
  }

  const std::string_view wanted_;
  const size_t& consumed_;
  std::vector<Level> levels_;
};

/// Input iterator that counts what the parser has taken.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, size_t* consumed) : at_(at), consumed_(consumed) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    ++at_;
    ++*consumed_;
    return *this;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  size_t* consumed_;
};

/// Notes every name that an object has twice.
class RepetitionFinder : public nlohmann::json_sax<nlohmann::json> {
 public:
  RepetitionFinder(std::string_view text, const size_t& consumed) : text_(text), consumed_(consumed) {}

  bool null() override { return Value(); }
  bool boolean(bool) override { return Value(); }
  bool number_integer(number_integer_t) override { return Value(); }
  bool number_unsigned(number_unsigned_t) override { return Value(); }
  bool number_float(number_float_t, const string_t&) override { return Value(); }
  bool string(string_t&) override { return Value(); }
  bool binary(binary_t&) override { return Value(); }
  bool start_object(std::size_t) override { return Open(/*array=*/false); }
  bool start_array(std::size_t) override { return Open(/*array=*/true); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }

  bool key(string_t& name) override {
    levels_.back().step = name;
    if (!levels_.back().names.insert(name).second) Note();
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

  std::vector<RepeatedMember> found;

 private:
  struct Level {
    bool array = false;
    size_t index = 0;
    std::string step;
    std::set<std::string> names;
  };

  void Note() {
    RepeatedMember member{.line = PositionAt(text_, consumed_).line};
    for (const Level& level : levels_) {
      member.path.push_back(level.array ? StrCat(level.index) : level.step);
      StrAppend(&member.pointer, "/", EscapePointer(member.path.back()));
    }
    found.push_back(std::move(member));
  }

  bool Open(bool array) {
    levels_.push_back({.array = array});
    return true;
  }

  bool Close() {
    levels_.pop_back();
    return Value();
  }

  bool Value() {
    if (!levels_.empty() && levels_.back().array) ++levels_.back().index;
    return true;
  }

  const std::string_view text_;
  const size_t& consumed_;
  std::vector<Level> levels_;
};

constexpr std::string_view kNothing = "\x01 no such pointer";

std::string Hint(std::string_view text, size_t offset) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
  if (offset < text.size() && text[offset] == '\'') return "; use double quotes (\") around names and strings";
  if (offset < text.size() && (text[offset] == '/' || text[offset] == '#')) return "; JSON has no comments";
  if (offset < text.size() && (text[offset] == '}' || text[offset] == ']')) {
    size_t before = offset;
    while (before > 0 && is_space(text[before - 1])) --before;
    if (before > 0 && text[before - 1] == ',') return "; remove the comma before it";
  }
  return "";
}

}  // namespace

std::string EscapePointer(std::string_view name) { return ReplaceAll(ReplaceAll(name, "~", "~0"), "/", "~1"); }

absl::Status DescribeSyntaxError(std::string_view text) {
  size_t consumed = 0;
  PointerTracker tracker(kNothing, consumed);
  nlohmann::json::sax_parse(CountingIterator(text.data(), &consumed),
                            CountingIterator(text.data() + text.size(), &consumed), &tracker);
  if (!tracker.error_position.has_value()) return absl::OkStatus();
  const size_t offset = *tracker.error_position == 0 ? 0 : *tracker.error_position - 1;
  const Position at = PositionAt(text, offset);
  if (Contains(tracker.error_text, "out_of_range")) {
    return InvalidArgument("not valid JSON at line ", at.line, ", column ", at.column,
                           ": a number beyond the range of a double");
  }
  std::string seen = "the end of the text";
  if (offset < text.size()) {
    const char c = text[offset];
    seen = c > ' ' && c <= '~' ? fmt::format("'{}'", c) : fmt::format("byte 0x{:02x}", static_cast<unsigned char>(c));
  }
  return InvalidArgument("not valid JSON at line ", at.line, ", column ", at.column, ": unexpected ", seen,
                         Hint(text, offset));
}

std::optional<size_t> LineOf(std::string_view text, std::string_view json_pointer) {
  size_t consumed = 0;
  PointerTracker tracker(json_pointer, consumed);
  nlohmann::json::sax_parse(CountingIterator(text.data(), &consumed),
                            CountingIterator(text.data() + text.size(), &consumed), &tracker);
  if (!tracker.found_at.has_value()) return std::nullopt;
  // The parser may have looked one character past a number: step back over white space.
  size_t offset = std::min(*tracker.found_at, text.size());
  while (offset > 0 && (text[offset - 1] == '\n' || text[offset - 1] == '\r' || text[offset - 1] == ' ')) --offset;
  return PositionAt(text, offset == 0 ? 0 : offset - 1).line;
}

std::vector<RepeatedMember> RepeatedMembers(std::string_view text) {
  size_t consumed = 0;
  RepetitionFinder finder(text, consumed);
  nlohmann::json::sax_parse(CountingIterator(text.data(), &consumed),
                            CountingIterator(text.data() + text.size(), &consumed), &finder);
  return std::move(finder.found);
}

}  // namespace sidecar
