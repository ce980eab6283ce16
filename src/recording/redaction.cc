#include "recording/redaction.h"

#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <array>
#include <memory>
#include <vector>

#include "service/contract.h"
#include "service/validate.h"
#include "text/text.h"

namespace sidecar::recording {
namespace {

using google::protobuf::FieldDescriptor;
using ProtoMessage = google::protobuf::Message;
using google::protobuf::Reflection;

constexpr size_t kKeyBytes = 32;

bool NamesSomebody(const FieldDescriptor& field) {
  static constexpr std::array<std::string_view, 5> kNames{"customer_id", "resource_id", "idempotency_key",
                                                          "measurement_id", "string_value"};
  return std::ranges::find(kNames, field.name()) != kNames.end();
}

void Redact(const Redaction& redaction, ProtoMessage& message) {
  const Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  reflection.MutableUnknownFields(&message)->Clear();  // nobody knows what they tell
  for (const FieldDescriptor* const field : fields) {
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      if (!field->is_repeated()) {
        Redact(redaction, *reflection.MutableMessage(&message, field));
        continue;
      }
      for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
        Redact(redaction, *reflection.MutableRepeatedMessage(&message, field, i));
      }
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING && !field->is_repeated() && NamesSomebody(*field)) {
      reflection.SetString(&message, field, redaction.Id(reflection.GetString(message, field)));
    }
  }
}

std::optional<std::string> Redacted(const Redaction& redaction, Method method, bool request, std::string_view bytes) {
  const auto message = request ? NewRequest(method) : NewResponse(method);
  if (!ParseRequest(bytes, *message).ok()) return std::nullopt;
  Redact(redaction, *message);
  return message->SerializeAsString();
}

}  // namespace

Redaction::Redaction() : key_(kKeyBytes, '\0') {
  RAND_bytes(reinterpret_cast<unsigned char*>(key_.data()), static_cast<int>(key_.size()));
}

std::string Redaction::Id(std::string_view id) const {
  if (id.empty()) return "";
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash;
  unsigned int size = 0;
  HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()), reinterpret_cast<const unsigned char*>(id.data()),
       id.size(), hash.data(), &size);
  constexpr size_t kShownBytes = 8;
  const std::string_view shown(reinterpret_cast<const char*>(hash.data()), kShownBytes);
  return StrCat(CheckId("", id).ok() ? "id-" : "\x01id-", Hex(shown));
}

std::optional<std::string> Redaction::Request(Method method, std::string_view message) const {
  return Redacted(*this, method, /*request=*/true, message);
}

std::optional<std::string> Redaction::Answer(Method method, std::string_view message) const {
  return Redacted(*this, method, /*request=*/false, message);
}

}  // namespace sidecar::recording
