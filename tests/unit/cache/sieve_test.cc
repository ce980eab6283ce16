#include "cache/sieve.h"

#include <gtest/gtest.h>

#include <string>

#include "support/definitions.h"

namespace sidecar {
namespace {

class SieveTest : public ::testing::Test {
 protected:
  Record* Push(const std::string& name) {
    records_.push_back(Record::Build({name, ""}, {}, {}, definitions_));
    list_.PushNewest(records_.back().get());
    return records_.back().get();
  }

  std::string Evict() {
    Record* const victim = list_.Victim();
    if (victim == nullptr) return "";
    list_.Remove(victim);
    return std::string(victim->key().customer_id);
  }

  Definitions definitions_ = testing::PlainDefinitions();
  std::vector<RecordPtr> records_;
  SieveList list_;
};

TEST_F(SieveTest, EvictsTheOldestFirst) {
  Push("a");
  Push("b");
  EXPECT_EQ(Evict(), "a");
  EXPECT_EQ(Evict(), "b");
  EXPECT_EQ(Evict(), "");
}

TEST_F(SieveTest, SparesWhatWasVisitedOnce) {
  Push("a")->visited = true;
  Push("b");
  Push("c");
  EXPECT_EQ(Evict(), "b");
  EXPECT_EQ(Evict(), "c");
  EXPECT_EQ(Evict(), "a") << "its bit was taken when the hand passed";
}

TEST_F(SieveTest, TheHandGoesOnWhereItStopped) {
  Push("a")->visited = true;
  Push("b");
  Push("c");
  Push("d");
  EXPECT_EQ(Evict(), "b");
  Push("e");
  EXPECT_EQ(Evict(), "c") << "not back to the oldest";
}

TEST_F(SieveTest, WhenAllWereVisitedTheOldestGoes) {
  for (const char* name : {"a", "b", "c"}) Push(name)->visited = true;
  EXPECT_EQ(Evict(), "a");
}

TEST_F(SieveTest, AReplacementTakesPlaceAndBit) {
  Record* const a = Push("a");
  Push("b");
  a->visited = true;
  records_.push_back(Record::Build({"a2", ""}, {}, {}, definitions_));
  list_.Replace(a, records_.back().get());
  EXPECT_TRUE(records_.back()->visited);
  EXPECT_EQ(Evict(), "b");
  EXPECT_EQ(Evict(), "a2");
}

TEST_F(SieveTest, RemovingTheHandsRecordMovesTheHand) {
  Push("a")->visited = true;
  Record* const b = Push("b");
  Push("c");
  EXPECT_EQ(list_.Victim(), b);
  list_.Remove(b);
  EXPECT_EQ(Evict(), "c");
}

}  // namespace
}  // namespace sidecar
