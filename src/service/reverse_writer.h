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
  void CloseMessage(uint32_t field, size_t mark) { TagAndVarint(field, kLengthDelimited, Mark() - mark); }

  void Bytes(uint32_t field, std::string_view value) {
    Raw(value);
    TagAndVarint(field, kLengthDelimited, value.size());
  }

  void Bool(uint32_t field, bool value) { Uint(field, value ? 1 : 0); }

  void Uint(uint32_t field, uint64_t value) { TagAndVarint(field, kVarint, value); }

  void Int(uint32_t field, int64_t value) { Uint(field, static_cast<uint64_t>(value)); }

  void Double(uint32_t field, double value) {
    Reserve(kVarintMax + sizeof(value));
    at_ -= sizeof(value);
    std::memcpy(buffer_.data() + at_, &value, sizeof(value));  // little-endian, as the wire is
    Tag(field, kFixed64);
  }

  /// A message that has nothing but a varint in its field 1: a timestamp of a whole second. Those
  /// between 1978 and 3058 have five bytes, with what goes before them eight: one store.
  void MessageOfVarint(uint32_t field, uint64_t value) {
    if (field < kOneByteField && std::bit_width(value) > 28 && std::bit_width(value) <= 35) [[likely]] {
      const uint64_t head = (field << 3 | kLengthDelimited) | 6 << 8 | (1 << 3 | kVarint) << 16;
      const uint64_t word = head | (SpreadToBytes(value) | 0x80808080) << 24;
      Reserve(sizeof(word));
      at_ -= sizeof(word);
      std::memcpy(buffer_.data() + at_, &word, sizeof(word));
      return;
    }
    const size_t mark = Mark();
    if (value != 0) Uint(1, value);
    CloseMessage(field, mark);
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
  static constexpr uint32_t kOneByteField = 16;  // below it a tag is one byte
  enum WireType : uint32_t { kVarint = 0, kFixed64 = 1, kLengthDelimited = 2 };

  void Tag(uint32_t field, WireType type) { Varint(field << 3 | type); }

  /// Both in one store where they are small: each store waits for the place that the one before left.
  void TagAndVarint(uint32_t field, WireType type, uint64_t value) {
    if (field < kOneByteField && value < 0x80) [[likely]] {
      const auto both = static_cast<uint16_t>((field << 3 | type) | value << 8);
      Reserve(sizeof(both));
      at_ -= sizeof(both);
      std::memcpy(buffer_.data() + at_, &both, sizeof(both));
      return;
    }
    Varint(value);
    Tag(field, type);
  }

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

  /// Groups of seven bits, each into a byte of its own, by halves.
  static uint64_t SpreadToBytes(uint64_t value) {
    uint64_t word = (value & 0x00FFFFFFF0000000) << 4 | (value & 0x000000000FFFFFFF);
    word = (word & 0x0FFFC0000FFFC000) << 2 | (word & 0x00003FFF00003FFF);
    return (word & 0x3F803F803F803F80) << 1 | (word & 0x007F007F007F007F);
  }

  /// Up to eight bytes at once: the word is stored so that it ends where the written bytes begin.
  void ShortVarint(uint64_t value) {
    const int size = (std::bit_width(value) + 6) / 7;
    uint64_t word = SpreadToBytes(value);
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
