#include "domain/fallback.h"

#include <utility>

namespace sidecar {

void FallbackTable::Add(std::string feature_id, FallbackValue value) {
  const auto [it, inserted] = index_.try_emplace(feature_id, entries_.size());
  if (inserted) {
    entries_.push_back({std::move(feature_id), std::move(value)});
  } else {
    entries_[it->second].value = std::move(value);
  }
}

const FallbackValue* FallbackTable::Find(std::string_view feature_id) const {
  const auto it = index_.find(absl::string_view(feature_id.data(), feature_id.size()));
  return it == index_.end() ? nullptr : &entries_[it->second].value;
}

}  // namespace sidecar
