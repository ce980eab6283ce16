// Messages of the contract that several answers share, as values.
#pragma once

#include <optional>

#include "stigg/sidecar/types.h"
#include "stigg/sidecar/v1/sidecar.pb.h"

namespace stigg::sidecar::sdk {

/// Kept within what a Time holds: the years 1678 to 2262.
Time TimeOf(const google::protobuf::Timestamp& timestamp);
void WriteTime(Time time, google::protobuf::Timestamp& out);

// Each takes what it can of the message.
BooleanEntitlement ValueOf(v1::BooleanEntitlement&& message);
NumericEntitlement ValueOf(v1::NumericEntitlement&& message);
MeteredEntitlement ValueOf(v1::MeteredEntitlement&& message);
EnumEntitlement ValueOf(v1::EnumEntitlement&& message);
CreditEntitlement ValueOf(v1::CreditEntitlement&& message);

/// Of a message with has_access, is_fallback and access_denied_reason.
template <typename Message>
void ReadVerdict(const Message& message, Verdict& verdict) {
  verdict.has_access = message.has_access();
  verdict.is_fallback = message.is_fallback();
  if (message.has_access_denied_reason()) {
    verdict.access_denied_reason = static_cast<AccessDeniedReason>(message.access_denied_reason());
  }
}

/// Of a message with a oneof of boolean, numeric, metered and enum.
template <typename Message>
Entitlement EntitlementOf(Message& message) {
  if (message.has_boolean()) return ValueOf(std::move(*message.mutable_boolean()));
  if (message.has_numeric()) return ValueOf(std::move(*message.mutable_numeric()));
  if (message.has_metered()) return ValueOf(std::move(*message.mutable_metered()));
  if (message.has_enum_()) return ValueOf(std::move(*message.mutable_enum_()));
  return {};
}

}  // namespace stigg::sidecar::sdk
