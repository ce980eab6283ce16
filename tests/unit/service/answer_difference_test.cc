#include "service/answer_difference.h"

#include <gmock/gmock.h>
#include <google/protobuf/message.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "service/methods.h"
#include "stigg/sidecar/v1/sidecar.pb.h"

namespace sidecar {
namespace {

namespace v1 = stigg::sidecar::v1;
using google::protobuf::FieldDescriptor;
using ProtoMessage = google::protobuf::Message;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const google::protobuf::Descriptor* ResponseOf(Method method) {
  return v1::GetEntitlementsRequest::descriptor()
      ->file()
      ->service(0)
      ->FindMethodByName(std::string(kMethodNames[static_cast<size_t>(method)]))
      ->output_type();
}

/// Sets one value of the field; `other`: not the one that it sets otherwise.
void SetValue(ProtoMessage& message, const FieldDescriptor* field, bool other) {
  const auto& reflection = *message.GetReflection();
  const bool add = field->is_repeated();
  const int number = other ? 2 : 1;
  switch (field->cpp_type()) {
#define SET(type, Name, value)          \
  case FieldDescriptor::CPPTYPE_##type: \
    return add ? reflection.Add##Name(&message, field, value) : reflection.Set##Name(&message, field, value)
    SET(INT32, Int32, number);
    SET(INT64, Int64, number);
    SET(UINT32, UInt32, static_cast<uint32_t>(number));
    SET(UINT64, UInt64, static_cast<uint64_t>(number));
    SET(FLOAT, Float, static_cast<float>(number));
    SET(DOUBLE, Double, number + 0.5);
    SET(BOOL, Bool, !other);
    SET(ENUM, EnumValue, number);
    SET(STRING, String, other ? "two" : "one");
#undef SET
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
}

/// Every scalar of a response, by the way to it.
using Way = std::vector<const FieldDescriptor*>;

void CollectWays(const google::protobuf::Descriptor& type, Way& way, std::vector<Way>& ways) {
  for (int i = 0; i < type.field_count(); ++i) {
    // google.protobuf.Struct is inside itself: once is enough.
    const auto* const inner = type.field(i)->message_type();
    const bool again = std::ranges::any_of(
        way, [&](const FieldDescriptor* field) { return inner != nullptr && field->message_type() == inner; });
    if (again) continue;
    way.push_back(type.field(i));
    if (type.field(i)->message_type() != nullptr) {
      CollectWays(*type.field(i)->message_type(), way, ways);
    } else {
      ways.push_back(way);
    }
    way.pop_back();
  }
}

/// A response in which that scalar alone is set.
std::unique_ptr<ProtoMessage> With(Method method, const Way& way, bool other) {
  std::unique_ptr<ProtoMessage> response(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(ResponseOf(method))->New());
  ProtoMessage* at = response.get();
  for (const FieldDescriptor* const field : way) {
    if (field->message_type() == nullptr) {
      SetValue(*at, field, other);
    } else {
      const auto& reflection = *at->GetReflection();
      at = field->is_repeated() ? reflection.AddMessage(at, field) : reflection.MutableMessage(at, field);
    }
  }
  return response;
}

bool IsWellKnown(const FieldDescriptor& field) {
  return field.message_type() != nullptr && field.message_type()->full_name().starts_with("google.protobuf.");
}

std::string NameOf(const Way& way) {
  std::string name;
  for (const FieldDescriptor* const field : way) {
    name += (name.empty() ? "" : ".") + field->name();
    if (IsWellKnown(*field)) break;  // one value
  }
  return name;
}

/// What identifies an element of a list cannot differ in it: it is another element then.
bool Identifies(const Way& way) {
  bool in_list = false;
  if (std::ranges::any_of(way, [](const FieldDescriptor* field) { return IsWellKnown(*field); })) return false;
  for (const FieldDescriptor* const field : way) in_list |= field->is_repeated() && field->message_type() != nullptr;
  const std::string& name = way.back()->name();
  return in_list && !way.back()->is_repeated() && way.back()->cpp_type() == FieldDescriptor::CPPTYPE_STRING &&
         (name == "id" || name == "feature_id" || name == "currency_id" || name == "key");
}

class EveryField : public ::testing::TestWithParam<Method> {};

TEST_P(EveryField, ThatDiffersIsFound) {
  std::vector<Way> ways;
  Way way;
  CollectWays(*ResponseOf(GetParam()), way, ways);
  ASSERT_GE(ways.size(), 5u);
  for (const Way& each : ways) {
    const std::string ours = With(GetParam(), each, false)->SerializeAsString();
    const std::string theirs = With(GetParam(), each, true)->SerializeAsString();
    ASSERT_NE(ours, theirs) << NameOf(each);
    EXPECT_THAT(CompareAnswers(GetParam(), ours, ours), IsEmpty()) << NameOf(each);
    const std::vector<FieldDifference> found = CompareAnswers(GetParam(), ours, theirs);
    if (Identifies(each)) {
      EXPECT_THAT(found, SizeIs(2)) << NameOf(each);  // there and not here, here and not there
      continue;
    }
    ASSERT_THAT(found, SizeIs(1)) << NameOf(each);
    EXPECT_EQ(FieldName(found[0].path), NameOf(each));
    EXPECT_NE(found[0].ours, found[0].theirs) << NameOf(each);
  }
}

TEST_P(EveryField, ThatIsMissingIsFound) {
  std::vector<Way> ways;
  Way way;
  CollectWays(*ResponseOf(GetParam()), way, ways);
  for (const Way& each : ways) {
    const std::string ours = With(GetParam(), each, false)->SerializeAsString();
    EXPECT_THAT(CompareAnswers(GetParam(), ours, ""), SizeIs(1)) << NameOf(each);
    EXPECT_THAT(CompareAnswers(GetParam(), "", ours), SizeIs(1)) << NameOf(each);
  }
}

INSTANTIATE_TEST_SUITE_P(Reads, EveryField,
                         ::testing::Values(Method::kGetEntitlements, Method::kGetEntitlement,
                                           Method::kGetBooleanEntitlement, Method::kGetNumericEntitlement,
                                           Method::kGetMeteredEntitlement, Method::kGetEnumEntitlement,
                                           Method::kGetEntitlementV2, Method::kGetEntitlementsStateV2),
                         [](const auto& param) { return std::string(kMethodNames[static_cast<size_t>(param.param)]); });

v1::GetEntitlementsResponse ListOf(const std::vector<std::string>& ids) {
  v1::GetEntitlementsResponse list;
  for (const std::string& id : ids) {
    list.add_entitlements()->mutable_boolean()->mutable_feature()->set_id(id);
  }
  return list;
}

std::vector<FieldDifference> CompareLists(const v1::GetEntitlementsResponse& ours,
                                          const v1::GetEntitlementsResponse& theirs) {
  return CompareAnswers(Method::kGetEntitlements, ours.SerializeAsString(), theirs.SerializeAsString());
}

TEST(AnswerDifferenceTest, TheOrderOfAListIsNone) {
  EXPECT_THAT(CompareLists(ListOf({"a", "b"}), ListOf({"b", "a"})), IsEmpty());
}

TEST(AnswerDifferenceTest, AMissingElementIsNamed) {
  const auto found = CompareLists(ListOf({"a", "b"}), ListOf({"b", "c"}));
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[0].path, "entitlements[a]");
  EXPECT_EQ(found[0].theirs, "(absent)");
  EXPECT_EQ(found[1].path, "entitlements[c]");
  EXPECT_EQ(found[1].ours, "(absent)");
}

TEST(AnswerDifferenceTest, ElementsOfTheSameIdAreCounted) {
  EXPECT_THAT(CompareLists(ListOf({"a", "a"}), ListOf({"a", "a"})), IsEmpty());
  EXPECT_THAT(CompareLists(ListOf({"a", "a"}), ListOf({"a"})), SizeIs(1));
}

TEST(AnswerDifferenceTest, TheOrderOfElementsOfTheSameIdIsNone) {
  for (const char* const id : {"a", ""}) {
    v1::GetEntitlementsResponse ours = ListOf({id, id, "b"});
    v1::GetEntitlementsResponse theirs = ours;
    ours.mutable_entitlements(0)->mutable_boolean()->mutable_feature()->set_units("seat");
    theirs.mutable_entitlements(1)->mutable_boolean()->mutable_feature()->set_units("seat");
    EXPECT_THAT(CompareLists(ours, theirs), IsEmpty());
    theirs.mutable_entitlements(1)->mutable_boolean()->mutable_feature()->set_units("desk");
    const auto found = CompareLists(ours, theirs);
    ASSERT_THAT(found, SizeIs(1));
    EXPECT_EQ(found[0].path, std::string("entitlements[") + id + "].boolean.feature.units");
  }
}

TEST(AnswerDifferenceTest, AFeatureAndACurrencyMayHaveTheSameId) {
  v1::GetEntitlementsStateV2Response ours;
  ours.add_entitlements()->mutable_metered()->mutable_feature()->set_id("coins");
  ours.add_entitlements()->mutable_credit()->mutable_currency()->set_currency_id("coins");
  v1::GetEntitlementsStateV2Response theirs;
  *theirs.add_entitlements() = ours.entitlements(1);
  *theirs.add_entitlements() = ours.entitlements(0);
  theirs.mutable_entitlements(0)->mutable_credit()->set_remaining(1);
  const auto found =
      CompareAnswers(Method::kGetEntitlementsStateV2, ours.SerializeAsString(), theirs.SerializeAsString());
  EXPECT_THAT(found, ElementsAre(FieldDifference{"entitlements[coins].credit.remaining", "0", "1"}));
}

TEST(AnswerDifferenceTest, ManyElementsOfTheSameIdTakeNoLongerThanOthers) {
  // 100,000 empty ones: pairs of them would be 10^10.
  v1::GetEntitlementsResponse many;
  for (int i = 0; i < 100'000; ++i) many.add_entitlements();
  EXPECT_THAT(CompareLists(many, many), IsEmpty());
}

TEST(AnswerDifferenceTest, NothingOfAnIdBecomesAName) {
  for (const char* const id : {"a]b.c", "[", "]", "a[b]c", ""}) {
    const auto found = CompareLists(ListOf({id}), ListOf({}));
    ASSERT_THAT(found, SizeIs(1)) << id;
    EXPECT_EQ(FieldName(found[0].path), "entitlements") << id;
  }
}

TEST(AnswerDifferenceTest, NumbersAreComparedExactly) {
  v1::GetMeteredEntitlementResponse ours;
  ours.mutable_entitlement()->set_current_usage(0.1 + 0.2);
  v1::GetMeteredEntitlementResponse theirs;
  theirs.mutable_entitlement()->set_current_usage(0.3);
  EXPECT_THAT(CompareAnswers(Method::kGetMeteredEntitlement, ours.SerializeAsString(), theirs.SerializeAsString()),
              SizeIs(1));
  ours.mutable_entitlement()->set_current_usage(std::nan(""));
  theirs.mutable_entitlement()->set_current_usage(-std::nan(""));
  EXPECT_THAT(CompareAnswers(Method::kGetMeteredEntitlement, ours.SerializeAsString(), theirs.SerializeAsString()),
              IsEmpty());
}

TEST(AnswerDifferenceTest, FieldsThatTheContractDoesNotKnowDiffer) {
  const std::string unknown("\xf8\x3f\x01", 3);  // field 1023
  const auto found = CompareAnswers(Method::kGetBooleanEntitlement, unknown, "");
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].path, "(unknown)");
}

TEST(AnswerDifferenceTest, WhatIsNoMessageDiffers) {
  const auto found = CompareAnswers(Method::kGetBooleanEntitlement, "", "\xff");
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].path, "(message)");
}

}  // namespace
}  // namespace sidecar
