// Bytes of a Redis connection, arriving in pieces: the same replies as at once.
#include "adapters/redis/resp.h"

#include <optional>
#include <vector>

#include "fuzz/fuzz.h"

namespace {

using namespace sidecar;

/// Everything that is read, as text; ends with "!" when it broke off.
void Describe(const RedisReply& reply, std::string& out) {
  out += static_cast<char>('a' + static_cast<int>(reply.type));
  out += reply.text + ":" + std::to_string(reply.integer) + "(";
  for (const RedisReply& item : reply.items) Describe(item, out);
  out += ")";
}

std::string ReadAll(std::string_view bytes, size_t piece) {
  RedisReader reader;
  std::string out;
  for (size_t at = 0; at < bytes.size(); at += piece) {
    reader.Feed(bytes.substr(at, piece));
    for (;;) {
      const auto reply = reader.Next();
      if (!reply.ok()) return out + "!";
      if (!reply->has_value()) break;
      (*reply)->Find("mode");
      (*reply)->TextAt(0);
      Describe(**reply, out);
    }
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 4096) return 0;  // three passes over each
  const std::string_view bytes = fuzz::Text(data, size);
  const std::string whole = ReadAll(bytes, size + 1);
  fuzz::Require(ReadAll(bytes, 1) == whole, "byte by byte the replies are the same");
  fuzz::Require(ReadAll(bytes, 7) == whole, "in pieces the replies are the same");
  return 0;
}
