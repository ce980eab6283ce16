// What a request must look like. Every refusal is INVALID_ARGUMENT and names the field, what
// was seen and what is accepted. Source: design sections 6.1 and 11; docs/api.md.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "google/protobuf/message.h"
#include "google/protobuf/timestamp.pb.h"

namespace sidecar {

inline constexpr size_t kIdBytesMax = 1024;
inline constexpr int kDimensionsMax = 100;
/// Usages or events of one call: reading more would hold up the hits behind it.
inline constexpr int kReportsMax = 5'000;

/// Whether every byte is printable ASCII, the space included: such text is UTF-8 and has no
/// control characters.
bool IsPrintableAscii(std::string_view text);

/// Present, at most 1 KiB, no control characters.
absl::Status CheckId(std::string_view field, std::string_view value);
/// The same, but may be empty.
absl::Status CheckOptionalId(std::string_view field, std::string_view value);
absl::Status CheckFinite(std::string_view field, double value);
/// Finite and not negative.
absl::Status CheckRequestedUsage(std::string_view field, double value);
/// Within years 1 to 9999, nanos 0 to 999,999,999.
absl::Status CheckTimestamp(std::string_view field, const google::protobuf::Timestamp& value);

/// Parses `bytes` into `message`. On failure says which string is not valid UTF-8, if that
/// is the reason.
absl::Status ParseRequest(std::string_view bytes, google::protobuf::Message& message);

}  // namespace sidecar

/// Returns from the enclosing function with the status unless it is OK.
#define SIDECAR_RETURN_IF_ERROR(expression)                                 \
  do {                                                                      \
    if (absl::Status status_ = (expression); !status_.ok()) return status_; \
  } while (false)
