// Usage of one feature that is acknowledged and not in the record yet: how far it raises what
// is shown, and when that is over. No lock, no clock. Source: docs/adr/0025.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "core/spooled_usage.h"
#include "core/usage_overlay_outcome.h"
#include "domain/usage_period.h"
#include "ports/usage_sink.h"

namespace sidecar {

/// What the record says of a feature's usage, and how the record came.
struct UsageBasis {
  double usage = 0;
  std::optional<WallTime> updated_at;  ///< of the usage, by upstream's clock
  UsagePeriod period;
  MonoTime fetched_at;       ///< when the fetch of the record began
  bool from_shared = false;  ///< from the store that replicas share: may be older than that
};

/// The same moment on both clocks.
struct Moment {
  MonoTime mono;
  WallTime wall;
};

/// Not thread-safe.
class PendingUsage {
 public:
  /// Pushes that left upstream before an acknowledgement have arrived after this time.
  static constexpr Millis kPushesArriveWithin{2'000};
  /// What upstream has not shown by then is given up: it knows better.
  static constexpr Millis kShownAtMost{30'000};

  /// From so many on, reports of the same moment are taken together.
  static constexpr size_t kSeparateMax = 64;
  static constexpr Millis kTogetherWithin{500};

  /// What was shown against what upstream said, of the reports that are over.
  struct Reconciled {
    std::array<uint64_t, kUsageOverlayOutcomes.size()> count{};
    double drift = 0;  ///< the differences, without their signs

    void Add(UsageOverlayOutcome outcome, uint64_t n, double difference);
  };

  /// Takes in a report that upstream does not have. Its place is by `sequence`.
  void AddSpooled(uint64_t sequence, const UsageRaise& raise) { spooled_.Add(sequence, raise); }
  bool HoldsSpooled(uint64_t sequence) const { return spooled_.Holds(sequence); }
  void RemoveSpooled(uint64_t sequence) { spooled_.Remove(sequence); }

  /// Takes in a report that upstream counted without saying the total. `sent`, `order`: the places of its sending and
  /// of its acknowledgement among all of both; one call has one sending, and its reports are counted in their order.
  /// `basis`: nullopt when no record is held. False: it takes no place.
  bool AddCounted(const UsageRaise& raise, uint64_t sent, uint64_t order, const std::optional<UsageBasis>& basis,
                  const Moment& now);

  /// Upstream said a total, which `basis` is, of a report that was sent at the place `sent` (0: before all): ends
  /// what was counted before that place or by the same call, and puts the others on top of the total, since it may or
  /// may not have them. Returns how many ended.
  size_t EndCountedBefore(uint64_t sent, const UsageBasis& basis, const Moment& now);

  /// Ends what is over. Returns how many ended.
  size_t Sweep(const std::optional<UsageBasis>& basis, const Moment& now, Reconciled& reconciled);

  /// Usage at that moment with all that is pending; of what is spooled, up to `sequence`. Never
  /// below what the basis says.
  UsageWindow At(const UsageBasis& basis, const Moment& now,
                 uint64_t sequence = std::numeric_limits<uint64_t>::max()) const;

  bool empty() const { return spooled_.empty() && counted_.empty(); }
  size_t counted() const { return counted_.size(); }

 private:
  struct Counted {
    UsageRaise raise;
    uint64_t sent;
    uint64_t order;
    MonoTime since;  ///< of the first acknowledgement
    MonoTime at;     ///< of the last
    WallTime time;   ///< the usage is of this instant
    /// What the record was when the report came on top of it.
    struct Base {
      double usage;
      std::optional<WallTime> updated_at;
      MonoTime fetched_at;
      std::optional<WallTime> window_end;  ///< of the period that `floor` is about
      double floor;                        ///< usage with this report, and those that it adds to
      bool raises;                         ///< it is above what the record said
    };
    std::optional<Base> base;  ///< nullopt: there was no record yet
  };
  enum class Standing : uint8_t {
    kPending,
    kReached,   ///< the record has it, for all we know; something from before may still arrive
    kArrived,   ///< and nothing may any more
    kChanged,   ///< upstream has said something else since
    kBelieved,  ///< the first record that there was is from after it
    kExpired,
  };

  static Standing StandingOf(const Counted& counted, const UsageBasis& basis, const UsageWindow& window, MonoTime now);
  static bool IsOver(Standing standing) { return standing > Standing::kReached; }
  /// Whether the floor is about that window.
  static bool FloorCounts(const Counted& counted, const UsageWindow& window) {
    return counted.base.has_value() && counted.base->window_end == window.end;
  }
  static Counted::Base BaseOf(const UsageBasis& basis, const UsageWindow& window, double floor);
  /// Takes it together with the last one, if there are many.
  bool Join(const Counted& counted);
  /// Gives it the basis, and a floor that is not below the one it has.
  static void Rebase(Counted& counted, const UsageBasis& basis, const UsageWindow& window, double floor);

  SpooledUsage spooled_;
  std::vector<Counted> counted_;  ///< as upstream may have counted them: of all such orders, the one that raises most
};

}  // namespace sidecar
