#include "service/fast_request.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "service/validate.h"

namespace sidecar {
namespace {

/// Reads fields one after the other. Any irregularity ends it with ok() false.
class FieldReader {
 public:
  explicit FieldReader(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool ok() const { return ok_; }
  bool more() const { return ok_ && at_ < end_; }

  /// Tags and lengths of common requests take one or two bytes.
  uint32_t Varint() {
    if (at_ == end_) return Fail();
    const auto low = static_cast<uint8_t>(*at_++);
    if (low < 0x80) return low;
    if (at_ == end_) return Fail();
    const auto high = static_cast<uint8_t>(*at_++);
    if (high >= 0x80) return Fail();
    return (low & 0x7Fu) | uint32_t{high} << 7;
  }

  std::string_view Bytes() {
    const uint32_t size = Varint();
    if (size > static_cast<size_t>(end_ - at_)) {
      Fail();
      return {};
    }
    const std::string_view bytes(at_, size);
    at_ += size;
    return bytes;
  }

  double Fixed64() {
    if (end_ - at_ < 8) return Fail();
    uint64_t bits;
    std::memcpy(&bits, at_, sizeof(bits));
    at_ += sizeof(bits);
    return std::bit_cast<double>(bits);
  }

 private:
  uint32_t Fail() {
    ok_ = false;
    at_ = end_;
    return 0;
  }

  const char* at_;
  const char* const end_;
  bool ok_ = true;
};

constexpr uint32_t Delimited(uint32_t field) { return field << 3 | 2; }
constexpr uint32_t Fixed(uint32_t field) { return field << 3 | 1; }

bool ReadOptions(std::string_view bytes, const CheckRequestShape& shape, FastRequest& out) {
  FieldReader reader(bytes);
  while (reader.more()) {
    const uint32_t tag = reader.Varint();
    if (shape.requested_usage != 0 && tag == Fixed(shape.requested_usage)) {
      out.requested_usage = reader.Fixed64();
      out.requested_usage_given = true;
    } else if (shape.requested_values != 0 && tag == Delimited(shape.requested_values)) {
      out.requested_values.push_back(reader.Bytes());
      if (!IsPrintableAscii(out.requested_values.back())) return false;
    } else {
      return false;
    }
  }
  return reader.ok() && std::isfinite(out.requested_usage) && out.requested_usage >= 0;
}

bool IsPlainId(std::string_view id) { return id.size() <= kIdBytesMax && IsPrintableAscii(id); }

}  // namespace

bool ReadFastRequest(std::string_view bytes, const CheckRequestShape& shape, FastRequest& out) {
  constexpr uint32_t kCustomerId = 1;
  FieldReader reader(bytes);
  bool options_seen = false;
  while (reader.more()) {
    const uint32_t tag = reader.Varint();
    std::string_view* id = nullptr;
    if (tag == Delimited(kCustomerId)) {
      id = &out.customer_id;
    } else if (tag == Delimited(shape.feature_id)) {
      id = &out.feature_id;
    } else if (tag == Delimited(shape.resource_id)) {
      id = &out.resource_id;
    } else if (shape.currency_id != 0 && tag == Delimited(shape.currency_id)) {
      id = &out.currency_id;
    }
    if (id != nullptr) {
      if (!id->empty()) return false;  // twice: the last would count
      *id = reader.Bytes();
      if (!IsPlainId(*id)) return false;
    } else if (tag == Delimited(shape.options) && !options_seen) {
      options_seen = true;
      if (!ReadOptions(reader.Bytes(), shape, out)) return false;
    } else {
      return false;
    }
  }
  // Exactly one of feature and currency: both getters of one kind and V2 ask for that.
  return reader.ok() && !out.customer_id.empty() && out.feature_id.empty() != out.currency_id.empty();
}

}  // namespace sidecar
