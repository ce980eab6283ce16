#pragma once

#include "config/load.h"

namespace sidecar {

/// Adds violations and warnings about settings that are right each for itself and wrong
/// together, or wrong for this purpose.
void CheckAcrossSettings(const Environment& environment, Purpose purpose, LoadedConfig& loaded);

}  // namespace sidecar
