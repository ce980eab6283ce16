// Whose entitlements: a customer, or one resource of a customer.
#pragma once

#include <string>
#include <string_view>

namespace sidecar {

/// Non-owning form, for look-ups. An empty resource_id means the customer itself:
/// the two scopes are never merged by us (docs/protocol.md section 4.1).
struct EntityKeyView {
  std::string_view customer_id;
  std::string_view resource_id;

  friend bool operator==(const EntityKeyView&, const EntityKeyView&) = default;

  template <typename H>
  friend H AbslHashValue(H h, const EntityKeyView& key) {
    // Debian's abseil does not hash std::string_view; the sizes keep ("a","b") and ("ab","") apart.
    h = H::combine_contiguous(std::move(h), key.customer_id.data(), key.customer_id.size());
    h = H::combine_contiguous(std::move(h), key.resource_id.data(), key.resource_id.size());
    return H::combine(std::move(h), key.customer_id.size(), key.resource_id.size());
  }
};

struct EntityKey {
  std::string customer_id;
  std::string resource_id;

  EntityKey() = default;
  explicit EntityKey(EntityKeyView view) : customer_id(view.customer_id), resource_id(view.resource_id) {}
  EntityKey(std::string customer, std::string resource)
      : customer_id(std::move(customer)), resource_id(std::move(resource)) {}

  EntityKeyView view() const { return {customer_id, resource_id}; }

  friend bool operator==(const EntityKey&, const EntityKey&) = default;

  template <typename H>
  friend H AbslHashValue(H h, const EntityKey& key) {
    return H::combine(std::move(h), key.view());
  }
};

}  // namespace sidecar
