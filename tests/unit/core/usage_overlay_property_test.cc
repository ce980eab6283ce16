// Many seeded lives of reporter, spool and overlay beside a model of the cloud: what is shown is never below what
// everything acknowledged comes to, and in the end it is what the cloud says. OVERLAY_SEEDS=n runs n of them,
// OVERLAY_SEED=s replays one.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>

#include "core/usage_reporter.h"
#include "domain/evaluate.h"
#include "sim/dice.h"
#include "support/fake_spool_store.h"
#include "support/overlay_fixture.h"

namespace sidecar {
namespace {

using sim::Dice;
using testing::OverlayWorld;

constexpr size_t kCustomers = 2;
constexpr double kPoison = 777;  ///< a value that is refused for ever
constexpr double kLimit = 60;

std::string CustomerName(size_t i) { return std::string(1, static_cast<char>('a' + i)); }

/// What the cloud has counted of one customer, in its order.
struct Ledger {
  struct Entry {
    UsageReport report;
    double total;
    WallTime at;
  };
  std::vector<Entry> entries;
  double usage = 5;

  static double After(double usage, const UsageReport& report) {
    return report.update == UsageUpdate::kSet ? report.value : usage + report.value;
  }
};

/// Counts a report once a key. Answers late, in error, with a total or without; pushes within 1.5 s.
class Cloud : public UsageSink {
 public:
  Cloud(Dice& dice, OverlayWorld& world) : dice_(dice), world_(world) {}

  void ReportUsage(std::vector<UsageReport> reports, MonoTime deadline, UsageDone done) override {
    const bool fails = dice_.Chance(failing);
    // Whose answer is lost may be counted all the same. Not a SET: one that upstream has earlier in its order than it
    // stands in the spool's is what the overlay does not know of.
    const auto sets = [](const UsageReport& report) { return report.update == UsageUpdate::kSet; };
    const bool counts = !fails || (std::none_of(reports.begin(), reports.end(), sets) && dice_.Chance(0.5));
    const MonoTime counted_at = world_.time.Now() + dice_.Delay(100);
    const MonoTime answered_at = std::min(counted_at + dice_.Delay(100), deadline);
    const bool poisoned = std::any_of(reports.begin(), reports.end(), [](const auto& r) { return r.value == kPoison; });
    auto receipts = std::make_shared<std::vector<UsageReceipt>>();
    if (counts && !poisoned) {
      world_.time.At(counted_at, [this, reports, receipts] {
        for (const UsageReport& report : reports) receipts->push_back(Count(report));
      });
    }
    world_.time.At(answered_at, [poisoned, fails, receipts, done = std::move(done)]() mutable {
      if (fails) {
        return std::move(done)(UpstreamFailure{.status = absl::UnavailableError("down"), .safe_to_repeat = true});
      }
      if (poisoned) return std::move(done)(UpstreamFailure{.status = absl::NotFoundError("poison")});
      std::move(done)(std::move(*receipts));
    });
  }
  void ReportEvents(std::vector<UsageEvent>, MonoTime, EventsDone done) override { std::move(done)(std::monostate{}); }

  FeatureEntitlement Answer(const std::string& customer) {
    FeatureEntitlement seats = testing::Metered("seats", kLimit, ledgers[customer].usage);
    if (!ledgers[customer].entries.empty()) seats.usage_updated_at = ledgers[customer].entries.back().at;
    return seats;
  }
  bool HasCounted(const std::string& key) const { return measured_.contains(key); }

  double failing = 0;
  double telling_totals = 0.5;
  std::map<std::string, Ledger> ledgers;

 private:
  UsageReceipt Count(const UsageReport& report) {
    const auto known = measured_.find(report.idempotency_key);
    if (known != measured_.end()) return known->second;
    Ledger& ledger = ledgers[report.key.customer_id];
    ledger.usage = Ledger::After(ledger.usage, report);
    const WallTime at = testing::DateAt(++counted_);
    ledger.entries.push_back({report, ledger.usage, at});
    world_.time.At(world_.time.Now() + dice_.Delay(1'500),
                   [this, report, usage = ledger.usage, at] { world_.Push(usage, at, report.key.customer_id); });
    UsageReceipt receipt = world_.ReceiptOf(report, std::nullopt);
    receipt.timestamp = at;
    if (dice_.Chance(telling_totals)) receipt.current_usage = ledger.usage;
    measured_.emplace(report.idempotency_key, receipt);
    return receipt;
  }

  Dice& dice_;
  OverlayWorld& world_;
  int64_t counted_ = 0;
  std::map<std::string, UsageReceipt> measured_;
};

class OverlaidLife {
 public:
  explicit OverlaidLife(uint64_t seed)
      : seed_(seed),
        dice_(seed),
        cloud_(dice_, world_),
        spool_({store_, cloud_, world_.time, world_.time, world_.random, world_.metrics, &world_.overlay},
               [this](UsageReceipt receipt) { world_.door.Apply(std::move(receipt)); }, {}),
        reporter_(cloud_, world_.door, &spool_, nullptr, &world_.overlay) {
    EXPECT_TRUE(spool_.Start().ok());
  }

  void Run() {
    for (size_t i = 0; i < kCustomers; ++i) Fetch(CustomerName(i));
    for (int step = 0; step < 1'000 && !::testing::Test::HasFailure(); ++step) {
      if (dice_.Chance(0.002)) cloud_.failing = dice_.Chance(0.5) ? 0 : dice_.Random();
      if (dice_.Chance(0.002)) cloud_.telling_totals = std::vector<double>{0, 0.5, 1}[dice_.Pick(3)];
      const std::string customer = CustomerName(dice_.Pick(kCustomers));
      if (dice_.Chance(0.3)) Report(customer);
      if (dice_.Chance(0.03)) Fetch(customer);
      if (dice_.Chance(0.005)) world_.cache.Erase({customer, ""});
      // Pauses let things end.
      world_.time.Advance(Millis(1) + dice_.Delay(dice_.Chance(0.02) ? 40'000 : 60));
      for (size_t i = 0; i < kCustomers; ++i) Check(CustomerName(i));
    }
    CheckEnd();
  }

 private:
  void Report(const std::string& customer) {
    UsageReport report = OverlayWorld::Report(1 + static_cast<double>(dice_.Pick(5)), UsageUpdate::kDelta, customer);
    if (dice_.Chance(0.2)) report.value = -report.value;
    if (dice_.Chance(0.1)) {
      report.update = UsageUpdate::kSet;
      report.value = static_cast<double>(dice_.Pick(40));
    }
    if (dice_.Chance(0.01)) report.value = kPoison;
    report.idempotency_key = std::to_string(++keys_);
    const auto durability = dice_.Chance(0.7) ? Durability::kSpoolOnFailure : Durability::kUpstreamOnly;
    reporter_.ReportUsage(
        {report}, world_.time.Now() + Millis(1'000),
        [this, report](const ReportOutcome& outcome) {
          if (outcome.failure.has_value()) return;
          told_.push_back(report);
          told_keys_.insert(report.idempotency_key);
          Check(report.key.customer_id);  // at this very moment
        },
        durability);
  }

  void Fetch(const std::string& customer) {
    auto fetch = std::make_shared<RecordDoor::Fetch>(world_.door.StartFetch({customer, ""}));
    const MonoTime answered_at = world_.time.Now() + dice_.Delay(2'500);
    const MonoTime landed_at = answered_at + dice_.Delay(2'500);
    world_.time.At(answered_at, [this, customer, fetch, landed_at] {
      world_.time.At(landed_at, [this, fetch, seats = cloud_.Answer(customer)] { world_.Land(*fetch, seats); });
    });
  }

  bool Buried(const UsageReport& report) const { return report.value == kPoison && !Spooled(report); }
  bool Spooled(const UsageReport& report) const {
    return std::any_of(store_.held.begin(), store_.held.end(), [&](const auto& held) {
      return std::get<UsageReport>(held.second.item).idempotency_key == report.idempotency_key;
    });
  }

  /// What the cloud would say if nobody but those who were told of their acknowledgement had used anything, and all of
  /// the spool were there. What the cloud has counted and nobody was told of lowers it at most.
  double Acknowledged(const std::string& customer) {
    double usage = 5;
    for (const Ledger::Entry& entry : cloud_.ledgers[customer].entries) {
      const double after = Ledger::After(usage, entry.report);
      usage = told_keys_.contains(entry.report.idempotency_key) ? after : std::min(usage, after);
    }
    for (const UsageReport& report : told_) {
      if (report.key.customer_id != customer || cloud_.HasCounted(report.idempotency_key) || Buried(report)) continue;
      usage = Ledger::After(usage, report);
    }
    return usage;
  }

  void Check(const std::string& customer) {
    {
      const EpochDomain::Guard guard(world_.epochs);
      if (world_.cache.Find({customer, ""}) == nullptr) return;
    }
    const double shown = world_.Shown(customer);
    const double acknowledged = Acknowledged(customer);
    EXPECT_GE(shown, acknowledged) << "seed " << seed_ << ", customer " << customer << ", report " << keys_ << ", at "
                                   << world_.time.Now().time_since_epoch().count();
    const double requested = static_cast<double>(dice_.Pick(20));
    if (FitsLimit(shown, requested, kLimit)) {
      EXPECT_LE(acknowledged + requested, kLimit) << "seed " << seed_;
    }
  }

  void CheckEnd() {
    cloud_.failing = 0;
    for (int i = 0; i < 10'000; ++i) world_.time.Advance(Millis(100));
    EXPECT_EQ(spool_.progress().waiting, 0U) << "seed " << seed_;
    for (size_t i = 0; i < kCustomers; ++i) Fetch(CustomerName(i));
    world_.time.Advance(Millis(40'000));
    EXPECT_FALSE(world_.overlay.pending()) << "seed " << seed_;
    EXPECT_EQ(world_.metrics.usage_overlay_pending.value(), 0U) << "seed " << seed_;
    for (size_t i = 0; i < kCustomers; ++i) {
      EXPECT_EQ(world_.Shown(CustomerName(i)), cloud_.ledgers[CustomerName(i)].usage) << "seed " << seed_;
    }
  }

  const uint64_t seed_;
  Dice dice_;
  OverlayWorld world_;
  Cloud cloud_;
  testing::FakeSpoolStore store_;
  Spool spool_;
  UsageReporter reporter_;
  int keys_ = 0;
  std::vector<UsageReport> told_;
  std::set<std::string> told_keys_;
};

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(UsageOverlayPropertyTest, NeverBelowWhatIsAcknowledgedAndRightInTheEnd) {
  if (const uint64_t one = FromEnvironment("OVERLAY_SEED", 0); one != 0) return OverlaidLife(one).Run();
  const uint64_t seeds = FromEnvironment("OVERLAY_SEEDS", 15);
  for (uint64_t seed = 1; seed <= seeds && !HasFailure(); ++seed) OverlaidLife(seed).Run();
}

}  // namespace
}  // namespace sidecar
