// What was decided: by kind of question, verdict and source.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "core/counter.h"

namespace sidecar {

/// Kinds of questions, as CheckForm has them.
inline constexpr std::array<std::string_view, 7> kDecisionTypes{"boolean", "numeric", "metered", "enum",
                                                                "any",     "any_v2",  "credit"};
/// Sources, as AnswerOrigin::Source has them; the first is none.
inline constexpr std::array<std::string_view, 6> kDecisionSources{"",         "memory",   "redis",
                                                                  "upstream", "snapshot", "fallback"};

/// Wait-free and thread-safe: one increment a decision.
class DecisionCounters {
 public:
  void Add(size_t type, bool granted, size_t source) { cells_[type][granted ? 1 : 0][source].Add(); }
  uint64_t value(size_t type, bool granted, size_t source) const {
    return cells_[type][granted ? 1 : 0][source].value();
  }

 private:
  std::array<std::array<std::array<Counter, kDecisionSources.size()>, 2>, kDecisionTypes.size()> cells_;
};

}  // namespace sidecar
