// Definitions shared by all records: a feature's type and units, a currency's names. Each
// is stored once, together with its encoded form, however many customers have it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "domain/entitlement.h"

namespace sidecar {

template <typename Value>
struct SharedDefinition {
  Value value;
  std::string encoded;      ///< what the service layer puts into answers as it is
  uint32_t references = 0;  // guarded by the table's lock
};

using SharedFeature = SharedDefinition<FeatureDefinition>;
using SharedCurrency = SharedDefinition<CurrencyDefinition>;

/// Interns definitions. Pointers stay valid while the caller holds the reference that
/// Intern gave it; a definition that nobody refers to is freed.
/// Thread-safe; readers of an interned definition need no lock.
template <typename Value>
class DefinitionTable {
 public:
  using Encode = std::function<std::string(const Value&)>;
  using Shared = SharedDefinition<Value>;

  explicit DefinitionTable(Encode encode) : encode_(std::move(encode)) {}

  const Shared* Intern(const Value& value) {
    absl::MutexLock lock(&mu_);
    std::unique_ptr<Shared>& slot = table_[value];
    if (slot == nullptr) {
      slot = std::make_unique<Shared>(Shared{.value = value, .encoded = encode_(value)});
      bytes_ += Bytes(*slot);
    }
    ++slot->references;
    return slot.get();
  }

  void Release(const Shared* shared) {
    absl::MutexLock lock(&mu_);
    const auto it = table_.find(shared->value);
    if (--it->second->references > 0) return;
    bytes_ -= Bytes(*it->second);
    table_.erase(it);
  }

  /// Approximate heap bytes of all definitions.
  size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

  size_t size() const {
    absl::MutexLock lock(&mu_);
    return table_.size();
  }

 private:
  static size_t Bytes(const Shared& shared) {
    // Twice the texts: the table's key is a copy of the value.
    return 2 * sizeof(Value) + sizeof(Shared) + 3 * shared.encoded.size();
  }

  const Encode encode_;
  mutable absl::Mutex mu_;
  absl::flat_hash_map<Value, std::unique_ptr<Shared>> table_ ABSL_GUARDED_BY(mu_);
  std::atomic<size_t> bytes_{0};
};

/// The two tables that records draw on.
struct Definitions {
  Definitions(DefinitionTable<FeatureDefinition>::Encode encode_feature,
              DefinitionTable<CurrencyDefinition>::Encode encode_currency)
      : features(std::move(encode_feature)), currencies(std::move(encode_currency)) {}

  size_t bytes() const { return features.bytes() + currencies.bytes(); }

  DefinitionTable<FeatureDefinition> features;
  DefinitionTable<CurrencyDefinition> currencies;
};

}  // namespace sidecar
