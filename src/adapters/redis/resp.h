// Redis' wire protocol, version 3: hiredis formats commands and parses replies.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

struct redisReader;

namespace sidecar {

struct RedisReply {
  enum class Type : uint8_t { kNil, kText, kError, kInteger, kList, kMap, kPush };

  Type type = Type::kNil;
  std::string text;               ///< of kText and kError
  int64_t integer = 0;            ///< of kInteger
  std::vector<RedisReply> items;  ///< of kList and kPush; of kMap: keys and values in turn

  bool is_text() const { return type == Type::kText; }
  bool is_error() const { return type == Type::kError; }
  /// The text of an item, or nullptr when there is none of that kind.
  const std::string* TextAt(size_t i) const {
    return i < items.size() && items[i].is_text() ? &items[i].text : nullptr;
  }
  /// A map's value; nullptr when it is not there.
  const RedisReply* Find(std::string_view key) const;
};

using RedisCommand = std::vector<std::string>;

/// The bytes of a command.
std::string FormatCommand(const RedisCommand& command);

/// Bytes in, replies out. Not thread-safe.
class RedisReader {
 public:
  RedisReader();
  ~RedisReader();

  void Feed(std::string_view bytes);
  /// The next whole reply; nullopt: it takes more bytes. INVALID_ARGUMENT: this is no Redis, or
  /// a reply is larger than kReplyBytesMax; nothing more can be read.
  absl::StatusOr<std::optional<RedisReply>> Next();

  static constexpr size_t kReplyBytesMax = 64 << 20;

 private:
  struct Deleter {
    void operator()(redisReader* reader) const;
  };
  const std::unique_ptr<redisReader, Deleter> reader_;
  size_t fed_ = 0;  // since the last whole reply
};

}  // namespace sidecar
