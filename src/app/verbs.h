// The verbs of the command line. Each returns the exit code.
#pragma once

#include <string>
#include <vector>

#include "config/settings.h"

namespace sidecar {

using Arguments = std::vector<std::string>;

int Serve(const Environment& environment, const Arguments& arguments);
int Dev(const Environment& environment, const Arguments& arguments);
int CheckConfig(const Environment& environment, const Arguments& arguments);
int Probe(const Environment& environment, const Arguments& arguments, bool ready);
int Get(const Environment& environment, const Arguments& arguments);
int Explain(const Environment& environment, Arguments arguments);
int CacheService(const Environment& environment, const Arguments& arguments);
int ReplayVerb(const Arguments& arguments);
int SpoolVerb(const Environment& environment, const Arguments& arguments);

/// Finds the verb and runs it; no verb means serve.
int RunCommandLine(const Environment& environment, Arguments arguments);

}  // namespace sidecar
