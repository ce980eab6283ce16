#pragma once

#include "adapters/json/json.h"
#include "domain/entitlement.h"

namespace sidecar {

/// Everything that a record holds, as people read it: members that are absent are left out.
Json RecordJson(const CustomerEntitlements& value);

}  // namespace sidecar
