// The common request, read without building a message: ids are views into the call's bytes,
// and nothing is allocated. What is not common (a per-call fallback, a field twice, an
// unknown field, ids beyond printable ASCII, anything wrong) is left to protobuf and to the
// checks that word the refusal: see check_handlers.cc.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "absl/container/inlined_vector.h"

namespace sidecar {

/// Field numbers in which the requests of the single checks differ; 0: no such field.
struct CheckRequestShape {
  uint32_t resource_id = 3;
  uint32_t feature_id = 2;
  uint32_t currency_id = 0;
  uint32_t options = 4;
  uint32_t requested_usage = 0;   ///< in the options
  uint32_t requested_values = 0;  ///< in the options
};

struct FastRequest {
  std::string_view customer_id;
  std::string_view resource_id;
  std::string_view feature_id;
  std::string_view currency_id;
  bool requested_usage_given = false;
  double requested_usage = 0;  ///< finite, not negative
  absl::InlinedVector<std::string_view, 4> requested_values;
};

/// True when the bytes are a common request that every check accepts; then all that protobuf
/// would have read is in `out`. False says nothing: let protobuf read it.
bool ReadFastRequest(std::string_view bytes, const CheckRequestShape& shape, FastRequest& out);

}  // namespace sidecar
