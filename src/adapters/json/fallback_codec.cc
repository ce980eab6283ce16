#include "adapters/json/fallback_codec.h"

#include <cmath>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "adapters/json/json.h"
#include "adapters/json/json_position.h"
#include "text/text.h"

namespace sidecar {
namespace {

constexpr std::string_view kEntryForm = "{hasAccess, value?, usageLimit?, isUnlimited?, enumValues?}";
constexpr size_t kMistakesMax = 20;

/// A value as it was written, cut short; on one line and without control characters.
std::string Seen(const Json& value) {
  constexpr size_t kShown = 60;
  const std::string text = value.dump(-1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace);
  return text.size() > kShown ? StrCat(text.substr(0, kShown), "…") : text;
}

/// A feature id for a message: as written, without the quotes.
std::string Id(const std::string& feature_id) {
  const std::string quoted = Seen(Json(feature_id));
  return quoted.ends_with('"') ? quoted.substr(1, quoted.size() - 2) : quoted.substr(1);
}

/// Mistakes in the order in which they are found.
class Mistakes {
 public:
  template <typename... Args>
  void Add(const Args&... args) {
    if (++count_ <= kMistakesMax) lines_.push_back(StrCat(args...));
  }

  absl::Status ToStatus() const {
    if (count_ == 0) return absl::OkStatus();
    const std::string rest = count_ > kMistakesMax ? StrCat("\nand ", count_ - kMistakesMax, " more") : "";
    return InvalidArgument(Join(lines_, "\n"), rest);
  }

 private:
  size_t count_ = 0;
  std::vector<std::string> lines_;
};

/// The members of one feature's entry. One that is null is as if it were absent.
class EntryReader {
 public:
  EntryReader(const std::string& feature_id, const Json& entry, Mistakes& mistakes)
      : id_(Id(feature_id)), entry_(entry), mistakes_(mistakes) {}

  FallbackValue Read() {
    FallbackValue fallback;
    if (!entry_.is_object()) {
      mistakes_.Add(id_, ": expected an object ", kEntryForm, ", got ", Seen(entry_));
      return fallback;
    }
    const std::optional<bool> has_access = Bool("hasAccess");
    if (Find("hasAccess") == nullptr) mistakes_.Add(id_, ".hasAccess: expected true or false, got nothing");
    fallback.has_access = has_access.value_or(false);
    fallback.value = WholeNumber("value");
    fallback.usage_limit = Number("usageLimit", "a number");
    fallback.unlimited = Bool("isUnlimited");
    fallback.enum_values = Texts("enumValues");
    return fallback;
  }

 private:
  const Json* Find(std::string_view name) const {
    const auto member = entry_.find(name);
    return member == entry_.end() || member->is_null() ? nullptr : &*member;
  }

  void Refuse(std::string_view name, std::string_view expected, const Json& seen) {
    mistakes_.Add(id_, ".", name, ": expected ", expected, ", got ", Seen(seen));
  }

  std::optional<bool> Bool(std::string_view name) {
    const Json* const member = Find(name);
    if (member == nullptr) return std::nullopt;
    if (member->is_boolean()) return member->get<bool>();
    Refuse(name, "true or false", *member);
    return std::nullopt;
  }

  std::optional<double> Number(std::string_view name, std::string_view expected) {
    const Json* const member = Find(name);
    if (member == nullptr) return std::nullopt;
    if (member->is_number()) return member->get<double>();
    Refuse(name, expected, *member);
    return std::nullopt;
  }

  std::optional<double> WholeNumber(std::string_view name) {
    constexpr double kMax = std::numeric_limits<int32_t>::max();
    constexpr std::string_view kExpected = "a whole number, -2147483647 to 2147483647";
    const std::optional<double> number = Number(name, kExpected);
    if (number.has_value() && (std::trunc(*number) != *number || std::abs(*number) > kMax)) {
      Refuse(name, kExpected, *Find(name));
    }
    return number;
  }

  std::optional<std::vector<std::string>> Texts(std::string_view name) {
    const Json* const member = Find(name);
    if (member == nullptr) return std::nullopt;
    std::vector<std::string> texts;
    bool all_strings = member->is_array();
    if (all_strings) {
      for (const Json& text : *member) {
        all_strings = all_strings && text.is_string();
        if (text.is_string()) texts.push_back(text.get<std::string>());
      }
    }
    if (!all_strings) Refuse(name, "an array of strings", *member);
    return texts;
  }

  const std::string id_;
  const Json& entry_;
  Mistakes& mistakes_;
};

}  // namespace

absl::StatusOr<FallbackTable> ParseFallbacks(std::string_view text) {
  const absl::StatusOr<Json> document = ParseJson(text);
  const std::string expected = StrCat("expected a JSON object of feature id -> ", kEntryForm);
  if (!document.ok()) {
    const absl::Status syntax = DescribeSyntaxError(text);
    return InvalidArgument(Message(syntax.ok() ? document.status() : syntax), "; ", expected);
  }
  if (!document->is_object()) return InvalidArgument(expected, ", got ", Seen(*document));
  Mistakes mistakes;
  for (const RepeatedMember& repeated : RepeatedMembers(text)) {
    if (repeated.path.size() > 2) continue;  // within a member that is ignored
    std::vector<std::string> path;
    for (const std::string& step : repeated.path) path.push_back(Id(step));
    mistakes.Add(Join(path, "."), ": expected once, got it again at line ", repeated.line);
  }
  FallbackTable table;
  for (const auto& [feature_id, entry] : document->items()) {
    table.Add(feature_id, EntryReader(feature_id, entry, mistakes).Read());
  }
  if (absl::Status status = mistakes.ToStatus(); !status.ok()) return status;
  return table;
}

std::string FormatFallbacks(const FallbackTable& table) {
  if (table.entries().empty()) return "";
  Json document = Json::object();
  for (const auto& [feature_id, value] : table.entries()) {
    Json entry = {{"hasAccess", value.has_access}};
    if (value.value.has_value()) entry["value"] = static_cast<int64_t>(*value.value);
    if (value.usage_limit.has_value()) entry["usageLimit"] = *value.usage_limit;
    if (value.unlimited.has_value()) entry["isUnlimited"] = *value.unlimited;
    if (value.enum_values.has_value()) entry["enumValues"] = *value.enum_values;
    document[feature_id] = std::move(entry);
  }
  return Dump(document);
}

}  // namespace sidecar
