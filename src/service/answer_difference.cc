#include "service/answer_difference.h"

#include <google/protobuf/message.h>
#include <google/protobuf/unknown_field_set.h>
#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <utility>

#include "service/contract.h"
#include "text/text.h"

namespace sidecar {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using ProtoMessage = google::protobuf::Message;
using google::protobuf::Reflection;

constexpr const char* kAbsent = "(absent)";

/// Timestamps and JSON are values: what is inside of them has no name of its own.
bool IsWellKnown(const FieldDescriptor& field) {
  return field.message_type() != nullptr && field.message_type()->full_name().starts_with("google.protobuf.");
}

/// One value of a field, at `index` of a repeated one (else -1), as text.
std::string ValueText(const ProtoMessage& message, const FieldDescriptor* field, int index) {
  const Reflection& reflection = *message.GetReflection();
  const bool repeated = index >= 0;
  switch (field->cpp_type()) {
#define SIDECAR_NUMBER(type, Getter)                                               \
  case FieldDescriptor::CPPTYPE_##type:                                            \
    return StrCat(repeated ? reflection.GetRepeated##Getter(message, field, index) \
                           : reflection.Get##Getter(message, field))
    SIDECAR_NUMBER(INT32, Int32);
    SIDECAR_NUMBER(INT64, Int64);
    SIDECAR_NUMBER(UINT32, UInt32);
    SIDECAR_NUMBER(UINT64, UInt64);
    SIDECAR_NUMBER(FLOAT, Float);
#undef SIDECAR_NUMBER
    case FieldDescriptor::CPPTYPE_DOUBLE: {
      const double number =
          repeated ? reflection.GetRepeatedDouble(message, field, index) : reflection.GetDouble(message, field);
      // The shortest text that is this number: equal exactly when they are. NaN has a sign.
      return std::isnan(number) ? "nan" : StrCat(number);
    }
    case FieldDescriptor::CPPTYPE_BOOL:
      return (repeated ? reflection.GetRepeatedBool(message, field, index) : reflection.GetBool(message, field))
                 ? "true"
                 : "false";
    case FieldDescriptor::CPPTYPE_ENUM: {
      const int number =
          repeated ? reflection.GetRepeatedEnumValue(message, field, index) : reflection.GetEnumValue(message, field);
      const auto* const named = field->enum_type()->FindValueByNumber(number);
      return named == nullptr ? StrCat(number) : named->name();
    }
    case FieldDescriptor::CPPTYPE_STRING:
      return repeated ? reflection.GetRepeatedString(message, field, index) : reflection.GetString(message, field);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
  const ProtoMessage& part =
      repeated ? reflection.GetRepeatedMessage(message, field, index) : reflection.GetMessage(message, field);
  return part.ShortDebugString();
}

/// In brackets that FieldName finds again whatever the id is.
std::string ElementOf(const std::string& path, const std::string& subject) {
  return StrCat(path, "[", ReplaceAll(ReplaceAll(subject, "[", "("), "]", ")"), "]");
}

/// What an element of a list is about: the field that says so, since a feature and a currency
/// may have the same id, and the id.
using Subject = std::pair<std::string, std::string>;

/// The first feature or currency id in the message, or none. Looks into its parts.
Subject SubjectOf(const ProtoMessage& message) {
  const Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* const field : fields) {
    if (field->is_repeated()) continue;
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      const std::string& name = field->name();
      if (name == "id" || name == "feature_id" || name == "currency_id") {
        return {name, reflection.GetString(message, field)};
      }
    }
  }
  for (const FieldDescriptor* const field : fields) {
    if (field->is_repeated() || field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    Subject subject = SubjectOf(reflection.GetMessage(message, field));
    if (!subject.second.empty()) return subject;
  }
  return {};
}

/// Elements of a list that are about the same, as a rule one.
struct Twin {
  std::string text;  ///< when there are several: what they are told apart by
  const ProtoMessage* message = nullptr;
};
using Twins = std::vector<Twin>;

std::map<Subject, Twins> BySubject(const ProtoMessage& message, const FieldDescriptor* field) {
  std::map<Subject, Twins> elements;
  const Reflection& reflection = *message.GetReflection();
  for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
    const ProtoMessage& element = reflection.GetRepeatedMessage(message, field, i);
    elements[SubjectOf(element)].push_back({.message = &element});
  }
  return elements;
}

/// Takes out of both what both have, so that the order of twins makes no difference.
void DropEqual(Twins& ours, Twins& theirs) {
  if (ours.size() <= 1 && theirs.size() <= 1) return;
  for (Twins* const twins : {&ours, &theirs}) {
    for (Twin& twin : *twins) twin.text = twin.message->ShortDebugString();
    std::ranges::sort(*twins, {}, &Twin::text);
  }
  Twins rest;
  std::ranges::set_difference(ours, theirs, std::back_inserter(rest), {}, &Twin::text, &Twin::text);
  Twins other_rest;
  std::ranges::set_difference(theirs, ours, std::back_inserter(other_rest), {}, &Twin::text, &Twin::text);
  ours = std::move(rest);
  theirs = std::move(other_rest);
}

class Comparison {
 public:
  std::vector<FieldDifference> Run(const ProtoMessage& ours, const ProtoMessage& theirs) {
    Compare("", ours, theirs);
    return std::move(differences_);
  }

 private:
  void Differ(std::string path, std::string ours, std::string theirs) {
    differences_.push_back({std::move(path), std::move(ours), std::move(theirs)});
  }

  void Compare(const std::string& prefix, const ProtoMessage& ours, const ProtoMessage& theirs) {
    const Descriptor& type = *ours.GetDescriptor();
    for (int i = 0; i < type.field_count(); ++i) {
      const FieldDescriptor* const field = type.field(i);
      const std::string path = StrCat(prefix, prefix.empty() ? "" : ".", field->name());
      if (field->is_repeated()) {
        field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE ? CompareElements(path, ours, theirs, field)
                                                              : CompareValues(path, ours, theirs, field);
      } else {
        CompareOne(path, ours, theirs, field);
      }
    }
    const std::string unknown = Unknown(ours);
    const std::string other = Unknown(theirs);
    if (unknown != other) Differ(StrCat(prefix, prefix.empty() ? "" : ".", "(unknown)"), Hex(unknown), Hex(other));
  }

  static std::string Unknown(const ProtoMessage& message) {
    std::string bytes;
    message.GetReflection()->GetUnknownFields(message).SerializeToString(&bytes);
    return bytes;
  }

  void CompareOne(const std::string& path, const ProtoMessage& ours, const ProtoMessage& theirs,
                  const FieldDescriptor* field) {
    if (field->has_presence()) {
      const bool has = ours.GetReflection()->HasField(ours, field);
      const bool has_other = theirs.GetReflection()->HasField(theirs, field);
      if (!has && !has_other) return;
      if (has != has_other) {
        return Differ(path, has ? ValueText(ours, field, -1) : kAbsent,
                      has_other ? ValueText(theirs, field, -1) : kAbsent);
      }
      if (IsWellKnown(*field)) {
        const ProtoMessage& part = ours.GetReflection()->GetMessage(ours, field);
        const ProtoMessage& other = theirs.GetReflection()->GetMessage(theirs, field);
        if (google::protobuf::util::MessageDifferencer::Equals(part, other)) return;
        return Differ(path, part.ShortDebugString(), other.ShortDebugString());
      }
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        return Compare(path, ours.GetReflection()->GetMessage(ours, field),
                       theirs.GetReflection()->GetMessage(theirs, field));
      }
    }
    std::string value = ValueText(ours, field, -1);
    std::string other = ValueText(theirs, field, -1);
    if (value != other) Differ(path, std::move(value), std::move(other));
  }

  void CompareValues(const std::string& path, const ProtoMessage& ours, const ProtoMessage& theirs,
                     const FieldDescriptor* field) {
    const auto all = [field](const ProtoMessage& message) {
      std::string text;
      for (int i = 0; i < message.GetReflection()->FieldSize(message, field); ++i) {
        StrAppend(&text, i == 0 ? "[" : ", ", ValueText(message, field, i));
      }
      return text.empty() ? "[]" : text + "]";
    };
    const auto size = [field](const ProtoMessage& message) {
      return message.GetReflection()->FieldSize(message, field);
    };
    bool same = size(ours) == size(theirs);
    for (int i = 0; same && i < size(ours); ++i) same = ValueText(ours, field, i) == ValueText(theirs, field, i);
    if (!same) Differ(path, all(ours), all(theirs));
  }

  void CompareElements(const std::string& path, const ProtoMessage& ours, const ProtoMessage& theirs,
                       const FieldDescriptor* field) {
    std::map<Subject, Twins> mine = BySubject(ours, field);
    std::map<Subject, Twins> other = BySubject(theirs, field);
    for (auto& [subject, twins] : mine) CompareTwins(ElementOf(path, subject.second), twins, other[subject]);
    for (auto& [subject, twins] : other) {
      Twins none;
      if (!mine.contains(subject)) CompareTwins(ElementOf(path, subject.second), none, twins);
    }
  }

  void CompareTwins(const std::string& at, Twins& ours, Twins& theirs) {
    DropEqual(ours, theirs);
    for (size_t i = 0; i < std::max(ours.size(), theirs.size()); ++i) {
      if (i >= theirs.size()) {
        Differ(at, ours[i].message->ShortDebugString(), kAbsent);
      } else if (i >= ours.size()) {
        Differ(at, kAbsent, theirs[i].message->ShortDebugString());
      } else {
        Compare(at, *ours[i].message, *theirs[i].message);
      }
    }
  }

  std::vector<FieldDifference> differences_;
};

}  // namespace

std::vector<FieldDifference> CompareAnswers(Method method, std::string_view ours, std::string_view theirs) {
  const auto mine = NewResponse(method);
  const auto other = NewResponse(method);
  const bool parsed = mine->ParseFromArray(ours.data(), static_cast<int>(ours.size()));
  const bool other_parsed = other->ParseFromArray(theirs.data(), static_cast<int>(theirs.size()));
  if (parsed && other_parsed) return Comparison().Run(*mine, *other);
  if (!parsed && !other_parsed && ours == theirs) return {};
  return {{"(message)", parsed ? "a message" : "not a message", other_parsed ? "a message" : "not a message"}};
}

std::string FieldName(std::string_view path) {
  std::string name;
  int depth = 0;
  for (const char c : path) {
    if (c == '[') ++depth;
    if (depth == 0) name.push_back(c);
    if (c == ']' && depth > 0) --depth;
  }
  return name;
}

}  // namespace sidecar
