#include "ids/new_id.h"

#include <openssl/rand.h>

#include <array>
#include <string_view>

#include "text/text.h"

namespace sidecar {

std::string NewUuid() {
  std::array<uint8_t, 16> bytes{};
  RAND_bytes(bytes.data(), static_cast<int>(bytes.size()));
  bytes[6] = static_cast<uint8_t>((bytes[6] & 0x0F) | 0x40);
  bytes[8] = static_cast<uint8_t>((bytes[8] & 0x3F) | 0x80);
  const std::string hex = Hex(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  return StrCat(hex.substr(0, 8), "-", hex.substr(8, 4), "-", hex.substr(12, 4), "-", hex.substr(16, 4), "-",
                hex.substr(20));
}

std::string NewId(size_t length) {
  static constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
  std::string id(length, 'A');
  RAND_bytes(reinterpret_cast<unsigned char*>(id.data()), static_cast<int>(id.size()));
  for (char& c : id) c = kAlphabet[static_cast<uint8_t>(c) & 63];
  return id;
}

}  // namespace sidecar
