#pragma once

#include <algorithm>

#include "domain/time.h"
#include "ports/random.h"

namespace sidecar {

/// How long to wait before connecting again: a wide uniform first step, so that all daemons
/// of a server that restarts do not come back at once, then decorrelated jitter up to a cap.
/// Source: design section 7; docs/adr/0012.
class ReconnectDelay {
 public:
  static constexpr Millis kMin{500};
  static constexpr Millis kFirstMax{8'000};
  static constexpr Millis kMax{30'000};
  /// A connection that was live for less than this does not count as success.
  static constexpr Millis kStable{30'000};

  explicit ReconnectDelay(Random& random) : random_(random) {}

  Millis Next() {
    const Millis ceiling = last_ == Millis(0) ? kFirstMax : last_ * 3;
    last_ = std::min(kMax, Uniform(ceiling));
    return last_;
  }

  void Reset() { last_ = Millis(0); }

 private:
  Millis Uniform(Millis ceiling) {
    return kMin + Millis(static_cast<int64_t>(random_.Uniform() * static_cast<double>((ceiling - kMin).count())));
  }

  Random& random_;
  Millis last_{0};
};

}  // namespace sidecar
