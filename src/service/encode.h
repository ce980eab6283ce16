// Answers as protobuf bytes, written by hand: a hit is answered without building a message.
// tests/unit/service/encode_test.cc parses every shape back with the generated classes.
#pragma once

#include <string>
#include <string_view>

#include "core/metrics.h"
#include "domain/check.h"
#include "domain/entitlement.h"
#include "domain/fallback.h"
#include "google/protobuf/message.h"
#include "service/reverse_writer.h"

namespace sidecar {

/// Bytes of an EntitlementFeature and an EntitlementCurrency message, for the definition
/// tables of the cache.
std::string EncodeDefinition(const FeatureDefinition& feature);
std::string EncodeDefinition(const CurrencyDefinition& currency);

/// The same bytes for the same message, maps included.
std::string SerializeDeterministically(const google::protobuf::Message& message);

/// Field numbers in which the response messages of the six single checks differ.
struct CheckResponseShape {
  uint32_t requested_usage = 0;   ///< 0: the message has no such field
  uint32_t requested_values = 0;  ///< 0: the message has no such field
  uint32_t entitlement = 0;       ///< 0: a oneof of kinds (see `first_of_oneof`)
  uint32_t first_of_oneof = 0;    ///< boolean's number; numeric, metered, enum, credit follow
};

inline constexpr CheckResponseShape kBooleanResponse{.entitlement = 4};
inline constexpr CheckResponseShape kNumericResponse{.entitlement = 4};
inline constexpr CheckResponseShape kMeteredResponse{.requested_usage = 4, .entitlement = 5};
inline constexpr CheckResponseShape kEnumResponse{.requested_values = 4, .entitlement = 5};
inline constexpr CheckResponseShape kGenericResponse{.first_of_oneof = 4};

/// Writes answers of one process: it counts values that do not fit. Thread-safe.
class AnswerEncoder {
 public:
  explicit AnswerEncoder(Metrics& metrics) : metrics_(metrics) {}

  /// The fields of a Get…EntitlementResponse, or of an EntitlementV2.
  void WriteCheck(const CheckAnswer& answer, const Check& check, const CheckResponseShape& shape,
                  ReverseWriter& out) const;

  /// One element of GetEntitlementsResponse.entitlements, with tag and length.
  void WriteListElement(const CheckAnswer& answer, ReverseWriter& out) const;

 private:
  void WriteBody(const CheckAnswer& answer, const Check& check, uint32_t field, ReverseWriter& out) const;
  void WriteNumeric(const CheckAnswer& answer, ReverseWriter& out) const;

  Metrics& metrics_;
};

}  // namespace sidecar
