// The settings as people read them: what is in force, and the reference.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/load.h"

namespace sidecar {

/// What is in force, one "NAME=value (default | set | derived …)" for each setting, in the
/// order of the reference. Secrets are ***.
std::vector<std::string> Summarize(const LoadedConfig& loaded);

/// The reference as printed by --help, and as a Markdown table for the README.
std::string HelpText();
std::string MarkdownReference();

/// The same text with control characters made visible.
std::string WithoutControls(std::string_view text);

}  // namespace sidecar
