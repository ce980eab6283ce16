// Protobuf wire format, written from the last byte to the first.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace sidecar {

/// Writes a message backwards: the body of a nested message is there before its length has
/// to be written, so nothing is measured first and nothing is moved. Fields must be written
/// in descending order for the bytes to come out in ascending order.
///
/// Starts in a buffer of its own and grows when a long list needs it. Not thread-safe;
/// reused from answer to answer through Clear().
class ReverseWriter {
 public:
  ReverseWriter() : buffer_(kFirstBytes, '\0'), at_(buffer_.size()) {}

  void Clear() { at_ = buffer_.size(); }

  /// What was written since Clear; valid until the next write.
  std::string_view view() const { return {buffer_.data() + at_, buffer_.size() - at_}; }

  /// A position to measure a nested message from: take it before writing the body.
  size_t Mark() const { return buffer_.size() - at_; }

  /// Length and tag of the nested message written since `mark`.
  void CloseMessage(uint32_t field, size_t mark) {
    Varint(Mark() - mark);
    Tag(field, kLengthDelimited);
  }

  void Bytes(uint32_t field, std::string_view value) {
    Raw(value);
    Varint(value.size());
    Tag(field, kLengthDelimited);
  }

  void Bool(uint32_t field, bool value) { Uint(field, value ? 1 : 0); }

  void Uint(uint32_t field, uint64_t value) {
    Varint(value);
    Tag(field, kVarint);
  }

  void Int(uint32_t field, int64_t value) { Uint(field, static_cast<uint64_t>(value)); }

  void Double(uint32_t field, double value) {
    const auto bits = std::bit_cast<uint64_t>(value);
    char bytes[sizeof(bits)];
    std::memcpy(bytes, &bits, sizeof(bits));  // little-endian, as the wire is
    Raw({bytes, sizeof(bytes)});
    Tag(field, kFixed64);
  }

  /// Bytes that are already encoded fields.
  void Raw(std::string_view bytes) {
    Reserve(bytes.size());
    at_ -= bytes.size();
    std::memcpy(buffer_.data() + at_, bytes.data(), bytes.size());
  }

 private:
  static constexpr size_t kFirstBytes = 4096;
  static constexpr size_t kVarintMax = 10;
  enum WireType : uint32_t { kVarint = 0, kFixed64 = 1, kLengthDelimited = 2 };

  void Tag(uint32_t field, WireType type) { Varint(field << 3 | type); }

  void Varint(uint64_t value) {
    Reserve(kVarintMax);
    if (value < 0x80) {
      buffer_[--at_] = static_cast<char>(value);
    } else if (value < uint64_t{1} << 56) {
      ShortVarint(value);
    } else {
      LongVarint(value);
    }
  }

  /// Up to eight bytes at once: groups of seven bits are spread to bytes by halves, and the
  /// word is stored so that it ends where the written bytes begin.
  void ShortVarint(uint64_t value) {
    const int size = (std::bit_width(value) + 6) / 7;
    uint64_t word = (value & 0x00FFFFFFF0000000) << 4 | (value & 0x000000000FFFFFFF);
    word = (word & 0x0FFFC0000FFFC000) << 2 | (word & 0x00003FFF00003FFF);
    word = (word & 0x3F803F803F803F80) << 1 | (word & 0x007F007F007F007F);
    word |= 0x8080808080808080 >> (8 * (9 - size));  // all but the last byte go on
    word <<= 8 * (8 - size);
    std::memcpy(buffer_.data() + at_ - sizeof(word), &word, sizeof(word));
    at_ -= static_cast<size_t>(size);
  }

  void LongVarint(uint64_t value) {
    char bytes[kVarintMax];
    size_t size = 0;
    for (; value >= 0x80; value >>= 7) bytes[size++] = static_cast<char>(value | 0x80);
    bytes[size++] = static_cast<char>(value);
    at_ -= size;
    std::memcpy(buffer_.data() + at_, bytes, size);
  }

  void Reserve(size_t size) {
    if (at_ < size) [[unlikely]] {
      Grow(size);
    }
  }

  [[gnu::noinline]] void Grow(size_t size) {
    const size_t used = buffer_.size() - at_;
    std::string larger(2 * (buffer_.size() + size), '\0');
    std::memcpy(larger.data() + larger.size() - used, buffer_.data() + at_, used);
    at_ = larger.size() - used;
    buffer_ = std::move(larger);
  }

  std::string buffer_;
  size_t at_;  // first byte in use
};

}  // namespace sidecar
