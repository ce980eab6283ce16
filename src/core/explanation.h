// Why a check is answered as it is, in words: for people who ask.
#pragma once

#include <string>

#include "domain/check.h"

namespace sidecar {

struct Explanation {
  CheckAnswer answer;
  std::string rule;        ///< the rule that decided, with its arithmetic
  std::string would_flip;  ///< what would change the verdict; empty: nothing that is known
};

/// The answer to `check` and why. `facts`: nullptr when nothing is known of the customer. Pure. The rules
/// are those of domain/check.h and domain/evaluate.h; tests compare the two.
Explanation Explain(const Check& check, const Facts* facts, WallTime now);

}  // namespace sidecar
