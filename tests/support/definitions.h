#pragma once

#include "cache/definitions.h"

namespace sidecar::testing {

/// Definition tables whose encoded form is just the id: for tests that do not encode.
inline Definitions PlainDefinitions() {
  return {[](const FeatureDefinition& feature) { return feature.id; },
          [](const CurrencyDefinition& currency) { return currency.id; }};
}

}  // namespace sidecar::testing
