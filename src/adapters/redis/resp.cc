#include "adapters/redis/resp.h"

#include <hiredis/hiredis.h>

#include "text/text.h"

namespace sidecar {
namespace {

RedisReply::Type TypeOf(int type) {
  switch (type) {
    case REDIS_REPLY_ERROR:
      return RedisReply::Type::kError;
    case REDIS_REPLY_INTEGER:
    case REDIS_REPLY_BOOL:
      return RedisReply::Type::kInteger;
    case REDIS_REPLY_ARRAY:
    case REDIS_REPLY_SET:
      return RedisReply::Type::kList;
    case REDIS_REPLY_MAP:
    case REDIS_REPLY_ATTR:
      return RedisReply::Type::kMap;
    case REDIS_REPLY_PUSH:
      return RedisReply::Type::kPush;
    case REDIS_REPLY_NIL:
      return RedisReply::Type::kNil;
    default:  // strings of every kind, and numbers that are sent as text
      return RedisReply::Type::kText;
  }
}

RedisReply Convert(const redisReply& reply) {
  RedisReply out{.type = TypeOf(reply.type), .integer = reply.integer};
  if (reply.str != nullptr) out.text.assign(reply.str, reply.len);
  out.items.reserve(reply.elements);
  for (size_t i = 0; i < reply.elements; ++i) out.items.push_back(Convert(*reply.element[i]));
  return out;
}

}  // namespace

const RedisReply* RedisReply::Find(std::string_view key) const {
  for (size_t i = 0; i + 1 < items.size(); i += 2) {
    if (items[i].text == key) return &items[i + 1];
  }
  return nullptr;
}

std::string FormatCommand(const RedisCommand& command) {
  std::vector<const char*> texts;
  std::vector<size_t> sizes;
  texts.reserve(command.size());
  sizes.reserve(command.size());
  for (const std::string& argument : command) {
    texts.push_back(argument.data());
    sizes.push_back(argument.size());
  }
  char* bytes = nullptr;
  const auto size = redisFormatCommandArgv(&bytes, static_cast<int>(command.size()), texts.data(), sizes.data());
  std::string out;
  if (size > 0) out.assign(bytes, static_cast<size_t>(size));
  redisFreeCommand(bytes);
  return out;
}

void RedisReader::Deleter::operator()(redisReader* reader) const { redisReaderFree(reader); }

RedisReader::RedisReader() : reader_(redisReaderCreate()) {
  constexpr long long kElementsMax = 1 << 20;
  reader_->maxelements = kElementsMax;
}

RedisReader::~RedisReader() = default;

void RedisReader::Feed(std::string_view bytes) {
  fed_ += bytes.size();
  redisReaderFeed(reader_.get(), bytes.data(), bytes.size());
}

absl::StatusOr<std::optional<RedisReply>> RedisReader::Next() {
  void* reply = nullptr;
  if (redisReaderGetReply(reader_.get(), &reply) != REDIS_OK) {
    return InvalidArgument("no reply of Redis: ", static_cast<const char*>(reader_->errstr));
  }
  if (reply == nullptr) {
    if (fed_ > kReplyBytesMax) return InvalidArgument("a reply of Redis is larger than ", kReplyBytesMax, " bytes");
    return std::optional<RedisReply>();
  }
  fed_ = 0;
  RedisReply converted = Convert(*static_cast<redisReply*>(reply));
  freeReplyObject(reply);
  return std::optional<RedisReply>(std::move(converted));
}

}  // namespace sidecar
