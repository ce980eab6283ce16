// Where in a record a feature was found last, per thread: customers of one plan have their
// features in one order, so the row can be loaded together with the header instead of after
// it. A wrong guess costs a load that nobody waits for.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace sidecar {

class RowHints {
 public:
  static size_t Guess(uint8_t tag) { return hints_[tag]; }
  static void Note(uint8_t tag, size_t index) {
    if (hints_[tag] != index) hints_[tag] = static_cast<uint16_t>(index);
  }

 private:
  static constinit inline thread_local std::array<uint16_t, 256> hints_{};
};

}  // namespace sidecar
