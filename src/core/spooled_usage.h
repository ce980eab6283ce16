#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <vector>

#include "absl/functional/function_ref.h"
#include "ports/usage_sink.h"

namespace sidecar {

/// What a report does to usage, as far as it raises it.
struct UsageRaise {
  double value = 0;  ///< above 0 for a DELTA
  bool set = false;
  std::optional<WallTime> created_at;

  /// nullopt: it cannot raise usage.
  static std::optional<UsageRaise> Of(const UsageReport& report);
  double On(double usage) const { return set ? std::max(usage, value) : usage + value; }
  /// The least that usage is with this report, when On() gave `usage`.
  double Floor(double usage) const { return set ? value : usage; }
};

/// The spooled reports of one feature, in order. An hour's outage may leave a hundred thousand of them, and each read
/// adds them up: so they are kept in runs that are added up already. Not thread-safe.
class SpooledUsage {
 public:
  void Add(uint64_t sequence, const UsageRaise& raise);
  bool Holds(uint64_t sequence) const;
  void Remove(uint64_t sequence);
  bool empty() const { return runs_.empty(); }

  /// `usage` with those up to `last` on top. `counts`: whether what has an instant of its own counts now. `on_sets`:
  /// what may come on top of a SET beside what follows it here.
  double On(double usage, uint64_t last, absl::FunctionRef<bool(WallTime)> counts, double on_sets) const;

 private:
  struct Item {
    uint64_t sequence;
    UsageRaise raise;
  };
  /// Together they make the higher of usage + `adds` and `least`.
  struct Run {
    std::vector<Item> items;
    double adds = 0;
    double least = -std::numeric_limits<double>::infinity();
    bool dated = false;  ///< some have an instant of their own: these figures do not hold

    void AddUp();
  };
  static constexpr size_t kRunMax = 256;

  /// Which run has the sequence, or is the place for it; their number when it is beyond all.
  size_t RunOf(uint64_t sequence) const;

  std::deque<Run> runs_;
};

}  // namespace sidecar
