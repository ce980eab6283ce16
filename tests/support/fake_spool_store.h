#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "ports/spool_store.h"

namespace sidecar::testing {

inline UsageReport SeatReport(const std::string& customer, const std::string& key) {
  return {.key = {customer, ""}, .feature_id = "seats", .value = 1, .idempotency_key = key};
}

/// A durable store in memory: what it holds is what a crash would leave. Answers when the
/// test says so, or at once.
class FakeSpoolStore : public SpoolStore {
 public:
  absl::StatusOr<SpoolIndex> TakeIndex() override {
    SpoolIndex index{.entries = {}, .next_sequence = used + 1};
    for (const auto& [sequence, record] : held) {
      index.entries.push_back({.sequence = sequence,
                               .kind = KindOf(record.item),
                               .customer_id = std::visit([](const auto& r) { return r.key.customer_id; }, record.item),
                               .spooled_at = record.spooled_at,
                               .bytes = record.bytes});
    }
    return index;
  }

  void Append(Records records, AppendDone done) override {
    Later([this, records = std::move(records), done = std::move(done)]() mutable {
      if (!failure.ok()) return std::move(done)(failure);
      for (const SpoolRecord& record : *records) {
        held[record.sequence] = record;
        used = std::max(used, record.sequence);
      }
      std::move(done)(absl::OkStatus());
    });
  }

  void Read(std::vector<uint64_t> sequences, ReadDone done) override {
    Later([this, sequences = std::move(sequences), done = std::move(done)]() mutable {
      Items items;
      for (const uint64_t sequence : sequences) {
        const auto found = held.find(sequence);
        const bool lost = found == held.end() || unreadable.contains(sequence);
        items.push_back(lost ? std::nullopt : std::optional<SpoolItem>(found->second.item));
      }
      std::move(done)(std::move(items));
    });
  }

  void Settle(std::vector<uint64_t> delivered, std::vector<DeadLetter> letters, SettleDone done) override {
    Later([this, delivered = std::move(delivered), letters = std::move(letters), done = std::move(done)]() mutable {
      if (!failure.ok()) return std::move(done)(failure);
      for (const uint64_t sequence : delivered) held.erase(sequence);
      for (const DeadLetter& letter : letters) {
        held.erase(letter.sequence);
        dead.push_back(letter);
      }
      std::move(done)(uint64_t{0});
    });
  }

  /// Answers what waits, in order, and what comes of it.
  void Answer() {
    while (!waiting.empty()) {
      auto next = std::move(waiting.front());
      waiting.pop_front();
      std::move(next)();
    }
  }

  bool at_once = true;
  absl::Status failure;  ///< of every write
  std::map<uint64_t, SpoolRecord> held;
  std::set<uint64_t> unreadable;  ///< of those that are held
  uint64_t used = 0;              ///< the highest sequence that was ever held
  std::vector<DeadLetter> dead;
  std::deque<absl::AnyInvocable<void() &&>> waiting;

 private:
  void Later(absl::AnyInvocable<void() &&> job) {
    waiting.push_back(std::move(job));
    if (at_once) Answer();
  }
};

}  // namespace sidecar::testing
