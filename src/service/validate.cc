#include "service/validate.h"

#include <cmath>
#include <cstring>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"
#include "service/utf8.h"
#include "text/text.h"

namespace sidecar {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

absl::Status Invalid(std::string_view field, std::string_view problem) { return InvalidArgument(field, ": ", problem); }

/// Path of the first string field of the message whose bytes are not UTF-8; empty when there
/// is none. Follows the wire format, as the message itself could not be parsed.
std::string FindInvalidUtf8(CodedInputStream& in, const Descriptor& type, const std::string& prefix) {
  while (const uint32_t tag = in.ReadTag()) {
    const FieldDescriptor* const field = type.FindFieldByNumber(WireFormatLite::GetTagFieldNumber(tag));
    if (field == nullptr || WireFormatLite::GetTagWireType(tag) != WireFormatLite::WIRETYPE_LENGTH_DELIMITED) {
      if (!WireFormatLite::SkipField(&in, tag)) return "";
      continue;
    }
    uint32_t size = 0;
    if (!in.ReadVarint32(&size)) return "";
    std::string path = prefix + field->name();
    if (field->type() == FieldDescriptor::TYPE_MESSAGE) {
      const auto limit = in.PushLimit(static_cast<int>(size));
      if (std::string found = FindInvalidUtf8(in, *field->message_type(), path + "."); !found.empty()) return found;
      in.PopLimit(limit);
      continue;
    }
    std::string bytes;
    if (!in.ReadString(&bytes, static_cast<int>(size))) return "";
    if (field->type() == FieldDescriptor::TYPE_STRING && !IsUtf8(bytes)) return path;
  }
  return "";
}

}  // namespace

bool IsPrintableAscii(std::string_view text) {
  // Eight bytes at a time: the high bit of each byte of `odd` tells that it is below the
  // space, above 0x7E, or not ASCII. A borrow may only set one too many, never hide one.
  constexpr uint64_t kHigh = 0x8080808080808080;
  constexpr uint64_t kOnes = 0x0101010101010101;
  const auto odd = [](uint64_t word) { return (word | (word - 0x20 * kOnes) | (word + kOnes)) & kHigh; };
  uint64_t seen = 0;
  for (; text.size() >= sizeof(uint64_t); text.remove_prefix(sizeof(uint64_t))) {
    uint64_t word;
    std::memcpy(&word, text.data(), sizeof(word));
    seen |= odd(word);
  }
  uint64_t rest = 0x20 * kOnes;
  if (!text.empty()) std::memcpy(&rest, text.data(), text.size());  // data() may be null
  return (seen | odd(rest)) == 0;
}

absl::Status CheckOptionalId(std::string_view field, std::string_view value) {
  if (value.size() <= kIdBytesMax && IsPrintableAscii(value)) return absl::OkStatus();
  if (value.size() > kIdBytesMax) {
    return Invalid(field, StrCat(value.size(), " bytes; at most ", kIdBytesMax, " are accepted"));
  }
  for (size_t i = 0; i < value.size(); ++i) {
    if (IsControl(value[i])) {
      return Invalid(field, fmt::format("control character 0x{:02x} at byte {}; none is accepted",
                                        static_cast<unsigned char>(value[i]), i));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckId(std::string_view field, std::string_view value) {
  if (value.empty()) return Invalid(field, "must not be empty");
  return CheckOptionalId(field, value);
}

absl::Status CheckFinite(std::string_view field, double value) {
  if (std::isfinite(value)) return absl::OkStatus();
  return Invalid(field, StrCat("is ", std::isnan(value) ? "not a number" : "infinite", "; expected a finite number"));
}

absl::Status CheckRequestedUsage(std::string_view field, double value) {
  SIDECAR_RETURN_IF_ERROR(CheckFinite(field, value));
  if (value < 0) return Invalid(field, StrCat("is ", value, "; expected 0 or more"));
  return absl::OkStatus();
}

absl::Status CheckTimestamp(std::string_view field, const google::protobuf::Timestamp& value) {
  constexpr int64_t kMinSeconds = -62'135'596'800;
  constexpr int64_t kMaxSeconds = 253'402'300'799;
  if (value.seconds() < kMinSeconds || value.seconds() > kMaxSeconds || value.nanos() < 0 ||
      value.nanos() > 999'999'999) {
    return Invalid(field, "is out of range; expected years 1 to 9999 and nanos 0 to 999999999");
  }
  return absl::OkStatus();
}

absl::Status ParseRequest(std::string_view bytes, google::protobuf::Message& message) {
  if (message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return absl::OkStatus();
  CodedInputStream in(reinterpret_cast<const uint8_t*>(bytes.data()), static_cast<int>(bytes.size()));
  const std::string field = FindInvalidUtf8(in, *message.GetDescriptor(), "");
  if (!field.empty()) return Invalid(field, "is not valid UTF-8");
  return absl::InvalidArgumentError(
      StrCat("request: ", bytes.size(), " bytes that are not a ", message.GetDescriptor()->full_name()));
}

}  // namespace sidecar
