// check-config --online: whether what the configuration names is there and lets us in.
#pragma once

#include <string>
#include <vector>

#include "config/load.h"

namespace sidecar {

struct OnlineFinding {
  enum class Verdict : uint8_t { kOk, kSkipped, kFailed };

  std::string what;  ///< e.g. "Edge API"
  Verdict verdict = Verdict::kOk;
  std::string seen;  ///< printable, never a secret
  std::string fix;   ///< of a failure
};

/// Makes every connection once, at most five seconds each. Changes nothing anywhere.
std::vector<OnlineFinding> CheckOnline(const Config& config);

/// A table for people, or a JSON array.
std::string FindingsText(const std::vector<OnlineFinding>& findings);
std::string FindingsJson(const std::vector<OnlineFinding>& findings);

}  // namespace sidecar
