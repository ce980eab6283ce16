#include "adapters/json/json.h"

#include <gtest/gtest.h>

#include "support/status_matchers.h"

namespace sidecar {
namespace {

using testing::FailsWith;
using testing::IsOk;

using testing::kInvalid;

TEST(ParseJsonTest, RefusesWhatIsNotJson) {
  for (const char* text : {"", "{", "{\"a\":}", "{'a':1}", "[1,]", "nul", "{\"a\":1}x", "\xff"}) {
    EXPECT_THAT(ParseJson(text), FailsWith(kInvalid, "not valid JSON")) << text;
  }
}

TEST(ParseJsonTest, RefusesNumbersBeyondADouble) {
  EXPECT_THAT(ParseJson("{\"a\":1e400}"), FailsWith(kInvalid, "range of a double"));
  EXPECT_THAT(ParseJson("{\"a\":1e308}"), IsOk());
}

TEST(ParseJsonTest, CapsNesting) {
  const std::string deep64 = std::string(64, '[') + std::string(64, ']');
  const std::string deep65 = std::string(65, '[') + std::string(65, ']');
  EXPECT_THAT(ParseJson(deep64), IsOk());
  EXPECT_THAT(ParseJson(deep65), FailsWith(kInvalid, "64 levels"));
  EXPECT_THAT(ParseJson(std::string(1'000'000, '[')), FailsWith(kInvalid, "64 levels"));
}

TEST(ParseJsonTest, BracketsInStringsAreNotNesting) {
  EXPECT_THAT(ParseJson("\"" + std::string(100, '[') + "\\\"" + std::string(100, '{') + "\""), IsOk());
}

std::string ObjectOf(int members) {
  std::string text = "{";
  for (int i = 0; i < members; ++i) text += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":0";
  return text + "}";
}

TEST(ParseJsonTest, CapsTheMembersOfAnObject) {
  EXPECT_THAT(ParseJson(ObjectOf(10'000)), IsOk());
  EXPECT_THAT(ParseJson(ObjectOf(10'001)), FailsWith(kInvalid, "an object of more than 10000 members"));
  EXPECT_THAT(ParseJson("[[" + ObjectOf(10'001) + "]]"), FailsWith(kInvalid, "10000 members"));
}

TEST(ParseJsonTest, CapsTheWorkOfManyLargeObjects) {
  // 16 MiB of objects that are each within the cap would take minutes.
  std::string text = "[" + ObjectOf(9'999);
  for (int i = 0; i < 100; ++i) text += "," + ObjectOf(9'999);
  EXPECT_THAT(ParseJson(text + "]"), FailsWith(kInvalid, "too many objects"));
}

TEST(ParseJsonTest, MembersAreCountedObjectByObject) {
  std::string text = "{\"a\":" + ObjectOf(9'000) + ",\"b\":" + ObjectOf(9'000) + "}";
  EXPECT_THAT(ParseJson(text), IsOk());
  text = "[" + ObjectOf(20);
  for (int i = 0; i < 20'000; ++i) text += "," + ObjectOf(20);
  EXPECT_THAT(ParseJson(text + "]"), IsOk()) << "a long list of ordinary objects";
  EXPECT_THAT(ParseJson("{\"a\":\"" + std::string(20'000, ':') + "\"}"), IsOk());
}

TEST(ParseJsonTest, ClosingWhatWasNotOpenedIsNotJson) {
  EXPECT_THAT(ParseJson("}}}]]:::{{"), FailsWith(kInvalid, "not valid JSON"));
}

class JsonObjectTest : public ::testing::Test {
 protected:
  JsonObject Read(const std::string& text) {
    document_ = *ParseJson(text);
    return JsonObject(document_, "data.x", error_);
  }

  Json document_;
  absl::Status error_;
};

TEST_F(JsonObjectTest, ReadsMembersByType) {
  JsonObject object = Read(R"({"n":1.5,"b":true,"t":"x","o":{},"a":[1],"d":"2026-03-02T09:15:30.250Z","e":5})");
  EXPECT_EQ(object.Number("n"), 1.5);
  EXPECT_EQ(object.Bool("b"), true);
  EXPECT_EQ(*object.Text("t"), "x");
  EXPECT_NE(object.Object("o"), nullptr);
  EXPECT_EQ(object.Array("a")->size(), 1U);
  EXPECT_EQ(ToEpochMs(*object.Date("d")), 1'772'442'930'250);
  EXPECT_EQ(ToEpochMs(*object.Date("e")), 5);
  EXPECT_TRUE(error_.ok());
}

TEST_F(JsonObjectTest, NullAndAbsentAreTheSame) {
  JsonObject object = Read(R"({"n":null})");
  EXPECT_EQ(object.Number("n"), std::nullopt);
  EXPECT_EQ(object.Number("m"), std::nullopt);
  EXPECT_EQ(object.Text("n"), nullptr);
  EXPECT_EQ(object.TextOrEmpty("n"), "");
  EXPECT_EQ(object.Date("n"), std::nullopt);
  EXPECT_FALSE(object.Has("n"));
  EXPECT_TRUE(error_.ok());
}

TEST_F(JsonObjectTest, AWrongTypeIsAnErrorWithItsPath) {
  JsonObject object = Read(R"({"n":"5"})");
  EXPECT_EQ(object.Number("n"), std::nullopt);
  EXPECT_THAT(error_, FailsWith(kInvalid, "data.x.n: expected a number, got a string"));
}

TEST_F(JsonObjectTest, TheFirstErrorStands) {
  JsonObject object = Read(R"({"a":1,"b":2})");
  object.Text("a");
  object.Bool("b");
  EXPECT_THAT(error_, FailsWith(kInvalid, "data.x.a"));
}

TEST_F(JsonObjectTest, WhatIsNotAnObjectIsAnError) {
  Read("[1]");
  EXPECT_THAT(error_, FailsWith(kInvalid, "data.x: expected an object, got an array"));
}

TEST(Dates, AreReadInIsoForm) {
  EXPECT_EQ(ToEpochMs(*ParseDate("1970-01-01T00:00:00Z")), 0);
  EXPECT_EQ(ToEpochMs(*ParseDate("1970-01-01T01:00:00.001+01:00")), 1);
  EXPECT_EQ(ToEpochMs(*ParseDate("1969-12-31T23:59:59.999Z")), -1);
}

TEST(Dates, ThatCannotBeReadAreAbsent) {
  for (const char* text : {"", "yesterday", "2026-03-02", "2026-13-02T00:00:00Z", "infinite-future",
                           "1899-12-31T00:00:00Z", "10000-01-01T00:00:00Z"}) {
    EXPECT_EQ(ParseDate(text), std::nullopt) << text;
  }
}

TEST(Dates, AreWrittenAsTheyAreRead) {
  EXPECT_EQ(FormatDate(WallTimeFromEpochMs(1'772'442'930'250)), "2026-03-02T09:15:30.250Z");
}

}  // namespace
}  // namespace sidecar
