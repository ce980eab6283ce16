// A shared store whose answers the test gives by hand.
#pragma once

#include <deque>
#include <utility>
#include <vector>

#include "ports/shared_store.h"
#include "support/builders.h"

namespace sidecar::testing {

class FakeStore : public SharedStore {
 public:
  bool available() const override { return is_available; }
  void Read(const EntityKey&, Intent intent, ReadDone done) override {
    intents.push_back(intent);
    reads.push_back(std::move(done));
  }
  void Write(const EntityKey&, const CustomerEntitlements& value, MonoTime) override { writes.push_back(value); }
  void FetchEnded(const EntityKey&, bool ok) override { ended.push_back(ok); }
  void Apply(const UsageReceipt&) override {}

  void Answer(absl::StatusOr<SharedRecord> record) {
    ReadDone done = std::move(reads.front());
    reads.pop_front();
    std::move(done)(std::move(record));
  }
  /// Without an age: kept current.
  void Have(double usage, std::optional<Millis> age = std::nullopt) {
    Answer(SharedRecord{.entitlements = Of({Metered("calls", 10, usage)}), .age = age});
  }
  void HaveNothing() { Answer(absl::NotFoundError("not there")); }

  bool is_available = true;
  std::deque<ReadDone> reads;
  std::vector<Intent> intents;
  std::vector<CustomerEntitlements> writes;
  std::vector<bool> ended;
};

}  // namespace sidecar::testing
