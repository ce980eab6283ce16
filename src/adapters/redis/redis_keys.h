// Names of keys. Source: docs/protocol.md section 7.1; those of our own: docs/redis.md.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "domain/entity_key.h"

namespace sidecar {

class RedisKeys {
 public:
  explicit RedisKeys(std::string prefix) : prefix_(std::move(prefix)) {}

  /// The list of a customer or resource.
  std::string List(EntityKeyView key) const;
  std::string Usage(EntityKeyView key, std::string_view feature_id) const;
  std::string Metadata(EntityKeyView key) const;
  /// What we know beside the list (SiblingValue).
  std::string Sibling(EntityKeyView key) const;
  /// Where the date of a key's value stands.
  static std::string Stamp(const std::string& key) { return key + "#timestamp"; }

  std::string Leader() const { return prefix_ + ":sidecar:leader"; }
  std::string Epoch() const { return prefix_ + ":sidecar:epoch"; }
  std::string Feed() const { return prefix_ + ":sidecar:feed"; }

  /// The vendor's lock and channel of one fetch.
  std::string FetchLock(EntityKeyView key) const;
  std::string FetchChannel(EntityKeyView key) const;

  /// What to track: all of the above but the locks.
  std::vector<std::string> TrackedPrefixes() const { return {prefix_ + ":c_", prefix_ + ":sidecar:"}; }

  /// Whose records a change of `key` may be about. Ids may contain what separates the parts of a
  /// key, so there may be several; empty when the key is none of a record's. At most
  /// kEntitiesMax: when there would be more, `too_many` is set instead.
  std::vector<EntityKey> EntitiesOf(std::string_view key, bool& too_many) const;
  static constexpr size_t kEntitiesMax = 64;

 private:
  const std::string prefix_;
};

}  // namespace sidecar
