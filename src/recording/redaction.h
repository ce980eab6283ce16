// What a recording does not tell: who the customers are. The same id is the same pseudonym
// throughout one recording, and another one in the next.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "domain/entity_key.h"
#include "service/methods.h"

namespace sidecar::recording {

/// Thread-safe. Pseudonyms are keyed hashes; the key is random and is not kept.
class Redaction {
 public:
  Redaction();

  /// "id-" and 16 hexadecimal digits; nothing stays nothing, and what no request may name
  /// becomes something that no request may name either.
  std::string Id(std::string_view id) const;
  EntityKey Key(EntityKeyView key) const { return {Id(key.customer_id), Id(key.resource_id)}; }

  /// The message with pseudonyms for customers, resources, idempotency keys and texts of
  /// dimensions; nullopt when it cannot be parsed: such a request is not recorded.
  std::optional<std::string> Request(Method method, std::string_view message) const;
  /// The same of an answer, measurement ids too.
  std::optional<std::string> Answer(Method method, std::string_view message) const;

 private:
  std::string key_;
};

}  // namespace sidecar::recording
