#include "adapters/world/data_reader.h"

#include <algorithm>

#include "adapters/json/json_position.h"
#include "text/text.h"

namespace sidecar {

void ViolationList::Add(const std::string& pointer, const std::string& path, std::string_view problem) {
  const size_t line = LineOf(text_, pointer).value_or(1);
  lines_.push_back(StrCat(file_name_, ":", line, ": ", path.empty() ? "document" : path, ": ", problem));
}

void ViolationList::AddRepeatedMembers() {
  for (const RepeatedMember& repeated : RepeatedMembers(text_)) {
    lines_.push_back(
        StrCat(file_name_, ":", repeated.line, ": ", Join(repeated.path, "."), ": is there already; keep one"));
  }
}

std::string ViolationList::text() const { return Join(lines_, "\n"); }

bool DataNode::IsObject() const {
  if (value_.is_object()) return true;
  Fail(StrCat("expected an object, got ", JsonTypeName(value_)));
  return false;
}

bool DataNode::IsObjectOf(std::initializer_list<std::string_view> members) const {
  if (!IsObject()) return false;
  for (const auto& [name, value] : value_.items()) {
    if (std::find(members.begin(), members.end(), std::string_view(name)) == members.end()) {
      Member(name).Fail(StrCat("is not known here; expected ", Join(members, ", ")));
    }
  }
  return true;
}

DataNode DataNode::Member(std::string_view name) const {
  static const Json kNull;
  const auto found = value_.find(name);
  return {found == value_.end() ? kNull : *found, StrCat(pointer_, "/", EscapePointer(name)),
          path_.empty() ? std::string(name) : StrCat(path_, ".", name), violations_};
}

DataNode DataNode::Element(size_t index) const {
  return {value_[index], StrCat(pointer_, "/", index), StrCat(path_, "[", index, "]"), violations_};
}

std::string DataNode::Text(std::string_view member) const {
  if (!Has(member)) return "";
  const DataNode node = Member(member);
  if (node.value_.is_string()) return node.value_.get<std::string>();
  node.Fail(StrCat("expected a string, got ", JsonTypeName(node.value_)));
  return "";
}

std::optional<double> DataNode::Number(std::string_view member) const {
  if (!Has(member)) return std::nullopt;
  const DataNode node = Member(member);
  if (node.value_.is_number()) return node.value_.get<double>();
  node.Fail(StrCat("expected a number, got ", JsonTypeName(node.value_)));
  return std::nullopt;
}

bool DataNode::Bool(std::string_view member) const {
  if (!Has(member)) return false;
  const DataNode node = Member(member);
  if (node.value_.is_boolean()) return node.value_.get<bool>();
  node.Fail(StrCat("expected true or false, got ", JsonTypeName(node.value_)));
  return false;
}

std::vector<std::string> DataNode::Texts(std::string_view member) const {
  std::vector<std::string> texts;
  if (!Has(member)) return texts;
  const DataNode node = Member(member);
  if (!node.value_.is_array()) {
    node.Fail(StrCat("expected an array of strings, got ", JsonTypeName(node.value_)));
    return texts;
  }
  for (size_t i = 0; i < node.value_.size(); ++i) {
    const DataNode element = node.Element(i);
    if (element.value_.is_string()) {
      texts.push_back(element.value_.get<std::string>());
    } else {
      element.Fail(StrCat("expected a string, got ", JsonTypeName(element.value_)));
    }
  }
  return texts;
}

}  // namespace sidecar
