#pragma once

#include <string>

namespace sidecar::testing {

/// Text of a file in tests/fixtures; ends the test run when it is not there.
std::string Fixture(const std::string& name);

}  // namespace sidecar::testing
