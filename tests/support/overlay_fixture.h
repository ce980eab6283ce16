// A cache with a door and a usage overlay, without a network: what reads would be shown.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "core/record_door.h"
#include "core/usage_overlay.h"
#include "support/builders.h"
#include "support/definitions.h"
#include "support/sim_clock.h"

namespace sidecar::testing {

struct OverlayWorld {
  explicit OverlayWorld(size_t pending_max = UsageOverlay::kPendingMax)
      : overlay(cache, time, time, metrics, pending_max) {}

  /// A fetch that begins and ends now.
  void Fetch(double usage, std::optional<WallTime> at = std::nullopt, const std::string& customer = "a",
             double limit = 100) {
    FeatureEntitlement seats = Metered("seats", limit, usage);
    seats.period = period;
    seats.usage_updated_at = at;
    Land(door.StartFetch({customer, ""}), seats);
  }
  void Land(const RecordDoor::Fetch& fetch, const FeatureEntitlement& seats) {
    const EpochDomain::Guard guard(epochs);
    door.Admit(fetch, Of({seats, Boolean("flag")}), RecordDoor::Mode::kMerge);
  }
  void Push(double usage, std::optional<WallTime> at = std::nullopt, const std::string& customer = "a") {
    UsagePush push;
    push.key = {customer, ""};
    push.id = "seats";
    push.current_usage = usage;
    push.period_start = period.start;
    push.period_end = period.end;
    push.updated_at = at;
    door.Apply(std::move(push));
  }

  static UsageReport Report(double value, UsageUpdate update = UsageUpdate::kDelta, const std::string& customer = "a") {
    return {.key = {customer, ""}, .feature_id = "seats", .value = value, .update = update};
  }
  static UsageReport Set(double value) { return Report(value, UsageUpdate::kSet); }

  /// Upstream acknowledges, with or without a total.
  void Acknowledge(const UsageReport& report, std::optional<double> total = std::nullopt) {
    AcknowledgeSent(report, total, overlay.Sending());
  }
  void AcknowledgeSent(const UsageReport& report, std::optional<double> total, uint64_t sent) {
    const UsageReceipt receipt = ReceiptOf(report, total);
    overlay.Acknowledge(report, receipt, sent, [&] { door.Apply(receipt); });
  }
  void PutInSpool(uint64_t sequence, const UsageReport& report) {
    overlay.OnSpooled({.sequence = sequence, .spooled_at = time.WallNow(), .item = report});
  }
  void Deliver(uint64_t sequence, const UsageReport& report, std::optional<double> total = std::nullopt) {
    const UsageReceipt receipt = ReceiptOf(report, total);
    overlay.OnDelivered(sequence, report, receipt, [&] { door.Apply(receipt); });
  }
  UsageReceipt ReceiptOf(const UsageReport& report, std::optional<double> total) const {
    return {.measurement_id = "m",
            .key = report.key,
            .feature_id = report.feature_id,
            .current_usage = total,
            .period_start = period.start,
            .period_end = period.end};
  }

  /// What a read is shown of a feature.
  FeatureView View(const std::string& customer = "a", const std::string& feature = "seats") {
    const EpochDomain::Guard guard(epochs);
    FeatureView view;
    const Record* const record = cache.Find({customer, ""});
    if (record == nullptr) return view;
    const int index = record->FindFeature(feature);
    if (index < 0) return view;
    record->ReadFeature(static_cast<size_t>(index), view);
    if (overlay.pending()) overlay.Raise(*record, view, time.WallNow());
    return view;
  }
  /// Rolled over to now, as a check does it.
  double Shown(const std::string& customer = "a") {
    const FeatureView view = View(customer);
    return UsageAt(view.period, view.current_usage, time.WallNow()).current_usage;
  }
  uint64_t Reconciled(UsageOverlayOutcome outcome) const {
    return metrics.usage_overlay_reconciled.value(static_cast<size_t>(outcome));
  }

  SimTime time;
  FixedRandom random;
  Metrics metrics;
  Definitions definitions = PlainDefinitions();
  EpochDomain epochs;
  EntitlementCache cache{{}, epochs, definitions};
  LiveCover cover;
  RecordDoor door{cache, time, random, cover, {}};
  UsagePeriod period;  ///< of what is fetched and pushed
  UsageOverlay overlay;
};

}  // namespace sidecar::testing
