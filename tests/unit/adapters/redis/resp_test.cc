#include "adapters/redis/resp.h"

#include <gtest/gtest.h>

#include "support/status_matchers.h"

namespace sidecar {
namespace {

using testing::IsOk;

TEST(RespTest, CommandsAreArraysOfStringsWhateverTheyHold) {
  EXPECT_EQ(FormatCommand({"SET", "k", std::string("a\0b\r\n", 5)}),
            std::string("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\na\0b\r\n\r\n", 31));
}

TEST(RespTest, RepliesAreReadAcrossPieces) {
  const std::string bytes =
      "+OK\r\n:42\r\n$5\r\nhe\r\no\r\n_\r\n-ERR no\r\n*2\r\n$1\r\na\r\n_\r\n%1\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n"
      ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n";
  RedisReader reader;
  std::vector<RedisReply> replies;
  for (const char byte : bytes) {
    reader.Feed({&byte, 1});
    for (;;) {
      absl::StatusOr<std::optional<RedisReply>> reply = reader.Next();
      ASSERT_THAT(reply, IsOk());
      if (!reply->has_value()) break;
      replies.push_back(**std::move(reply));
    }
  }
  ASSERT_EQ(replies.size(), 8U);
  EXPECT_EQ(replies[0].text, "OK");
  EXPECT_EQ(replies[1].integer, 42);
  EXPECT_EQ(replies[2].text, "he\r\no");
  EXPECT_EQ(replies[3].type, RedisReply::Type::kNil);
  EXPECT_TRUE(replies[4].is_error());
  ASSERT_NE(replies[5].TextAt(0), nullptr);
  EXPECT_EQ(replies[5].TextAt(1), nullptr);
  ASSERT_NE(replies[6].Find("mode"), nullptr);
  EXPECT_EQ(replies[6].Find("mode")->text, "standalone");
  EXPECT_EQ(replies[6].Find("role"), nullptr);
  EXPECT_EQ(replies[7].type, RedisReply::Type::kPush);
  EXPECT_EQ(replies[7].items[1].items[0].text, "k");
}

TEST(RespTest, WhatIsNoRedisIsAnError) {
  for (const char* const bytes : {"HTTP/1.1 400 Bad Request\r\n\r\n", "?\r\n", "*9999999999\r\n", "$-5\r\n"}) {
    RedisReader reader;
    reader.Feed(bytes);
    EXPECT_FALSE(reader.Next().ok()) << bytes;
  }
}

}  // namespace
}  // namespace sidecar
