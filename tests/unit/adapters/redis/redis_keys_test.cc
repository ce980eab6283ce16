#include "adapters/redis/redis_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sidecar {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

const RedisKeys kKeys("production");

std::vector<EntityKey> EntitiesOf(std::string_view key) {
  bool too_many = false;
  std::vector<EntityKey> entities = kKeys.EntitiesOf(key, too_many);
  EXPECT_FALSE(too_many);
  return entities;
}

TEST(RedisKeysTest, AreThoseOfTheVendorsEngine) {
  EXPECT_EQ(kKeys.List({"c", ""}), "production:c_c");
  EXPECT_EQ(kKeys.List({"c", "r"}), "production:c_c:r_r");
  EXPECT_EQ(kKeys.Usage({"c", "r"}, "f"), "production:c_c:r_r:f_f");
  EXPECT_EQ(kKeys.Metadata({"c", ""}), "production:c_c:metadata");
  EXPECT_EQ(RedisKeys::Stamp("production:c_c"), "production:c_c#timestamp");
  EXPECT_EQ(kKeys.FetchLock({"c", ""}), "production:refetchEntityEntitlementsAfterCacheMiss-c");
  EXPECT_EQ(kKeys.FetchLock({"c", "r"}), "production:refetchEntityEntitlementsAfterCacheMiss-c:r");
  EXPECT_EQ(kKeys.FetchChannel({"c", "r"}), "production:refetchEntityEntitlementsAfterCacheMiss:c:r");
  EXPECT_EQ(kKeys.Sibling({"c", "r"}), "production:sidecar:c_c:r_r");
}

TEST(RedisKeysTest, EveryKeyOfARecordNamesIt) {
  for (const EntityKey& entity :
       {EntityKey("c", ""), EntityKey("c", "r"), EntityKey("a:r_b", ""), EntityKey("a:f_b", "r"),
        EntityKey("c", "x:f_y"), EntityKey("c#timestamp", ""), EntityKey("c:metadata", "r")}) {
    const EntityKeyView view = entity.view();
    for (const std::string& key : {kKeys.List(view), kKeys.Usage(view, "f"), kKeys.Usage(view, "f:r_g"),
                                   kKeys.Metadata(view), kKeys.Sibling(view)}) {
      EXPECT_THAT(EntitiesOf(key), Contains(entity)) << key;
      EXPECT_THAT(EntitiesOf(RedisKeys::Stamp(key)), Contains(entity)) << key;
    }
  }
}

TEST(RedisKeysTest, AnOrdinaryKeyNamesFewOthers) {
  EXPECT_THAT(EntitiesOf("production:c_c"), UnorderedElementsAre(EntityKey("c", "")));
  EXPECT_THAT(EntitiesOf("production:c_c:r_r"), UnorderedElementsAre(EntityKey("c:r_r", ""), EntityKey("c", "r")));
}

TEST(RedisKeysTest, KeysOfOthersNameNobody) {
  for (const char* const key :
       {"", "production", "production:", "production:c_", "production:sidecar:leader", "staging:c_c", "production-c",
        "production:refetchEntityEntitlementsAfterCacheMiss-c"}) {
    EXPECT_THAT(EntitiesOf(key), IsEmpty()) << key;
  }
}

TEST(RedisKeysTest, AKeyThatCouldMeanVeryManySaysSo) {
  std::string key = "production:c_c";
  for (int i = 0; i < 100; ++i) key += ":r_x:f_y";
  bool too_many = false;
  EXPECT_THAT(kKeys.EntitiesOf(key, too_many), IsEmpty());
  EXPECT_TRUE(too_many);
}

}  // namespace
}  // namespace sidecar
