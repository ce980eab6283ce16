#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "adapters/json/json.h"

namespace sidecar {

/// Collects what is wrong with a document that a person edits, each with its line.
class ViolationList {
 public:
  ViolationList(std::string_view text, std::string file_name) : text_(text), file_name_(std::move(file_name)) {}

  /// `pointer` is the JSON pointer of the offending value, `path` the same for people.
  void Add(const std::string& pointer, const std::string& path, std::string_view problem);

  /// Adds every member that an object has twice: a parser keeps one of them without a word.
  void AddRepeatedMembers();

  bool empty() const { return lines_.empty(); }
  std::string text() const;

 private:
  const std::string_view text_;
  const std::string file_name_;
  std::vector<std::string> lines_;
};

/// One value of the document, with its place.
class DataNode {
 public:
  DataNode(const Json& value, std::string pointer, std::string path, ViolationList& violations)
      : value_(value), pointer_(std::move(pointer)), path_(std::move(path)), violations_(violations) {}

  const Json& value() const { return value_; }
  void Fail(std::string_view problem) const { violations_.Add(pointer_, path_, problem); }

  /// Checks that this is an object with no members but these; false (and noted) otherwise.
  bool IsObjectOf(std::initializer_list<std::string_view> members) const;
  /// Checks that this is an object of anything.
  bool IsObject() const;

  bool Has(std::string_view member) const { return value_.is_object() && value_.contains(member); }
  DataNode Member(std::string_view name) const;
  DataNode Element(size_t index) const;

  // Absent members read as the default; wrong types are noted and read so too.
  std::string Text(std::string_view member) const;
  std::optional<double> Number(std::string_view member) const;
  bool Bool(std::string_view member) const;
  std::vector<std::string> Texts(std::string_view member) const;

 private:
  const Json& value_;
  const std::string pointer_;
  const std::string path_;
  ViolationList& violations_;
};

}  // namespace sidecar
