#include "support/fixtures.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace sidecar::testing {

std::string Fixture(const std::string& name) {
  std::ifstream in(std::string(SIDECAR_FIXTURES) + "/" + name, std::ios::binary);
  if (!in) {
    std::fprintf(stderr, "no fixture %s\n", name.c_str());
    std::abort();
  }
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace sidecar::testing
