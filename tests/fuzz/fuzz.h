// What fuzz targets share.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

/// One run over one input. Must not depend on the runs before it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace sidecar::fuzz {

inline std::string_view Text(const uint8_t* data, size_t size) { return {reinterpret_cast<const char*>(data), size}; }

/// A property that holds for every input, in every build.
inline void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

}  // namespace sidecar::fuzz
