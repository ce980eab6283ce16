// The reporting side of a simulated sidecar: processes that crash over one disk, and what they
// have promised.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/record_door.h"
#include "core/spool.h"
#include "core/usage_reporter.h"
#include "service/services.h"
#include "sim/cloud_sink.h"
#include "sim/dice.h"
#include "support/fake_call.h"
#include "support/fake_spool_store.h"
#include "support/sim_clock.h"

namespace sidecar::sim {

/// Promises that are checked: every call is answered once and by its deadline; what was
/// acknowledged is counted, or among the dead letters, and nothing of the same customer that
/// was reported after it is counted before it; a report has one key for ever; the disk holds
/// no more than its bound.
class Reporting {
 public:
  /// A process' handlers around its reporter.
  using MakeHandlersWith = std::function<Handlers(UsageReporter&)>;
  using Violated = std::function<void(const std::string&)>;

  Reporting(Dice& dice, testing::SimTime& time, RecordDoor& door, Metrics& metrics, MakeHandlersWith make_handlers,
            Violated violated);
  ~Reporting();

  /// Of the process that runs now.
  const Handlers& handlers() const { return handlers_.back(); }

  void Report();
  /// The process is killed and started again: what was under way to the disk may be on it.
  void Crash();
  void SetFaults(double sink, double disk);
  void Check(bool at_end);

  static constexpr Millis kTimeout{2'000};

 private:
  /// What belongs to one process.
  struct Life;
  class LifeStore;
  class LifeSink;

  struct Entry {
    SpoolKind kind;
    std::string customer;
    std::string key;  ///< of usage: empty until somebody has seen it
    bool poison = false;
    uint64_t started = 0;
    uint64_t acknowledged = 0;  ///< 0: was not
    bool durable = false;
    bool counted = false;
    std::unique_ptr<testing::FakeCall> call;  ///< until it is answered
    MonoTime by;
  };

  void Start();
  /// The disk does the next thing that it was asked for.
  void DiskActs();
  void OnCounted(const SpoolItem& item);
  void NoteAnswer(Entry& entry);
  void NoteAnswers();
  bool Buried(const Entry& entry) const;
  /// The report that the item is: its feature, or the event's name, says.
  Entry* Find(const SpoolItem& item);

  Dice& dice_;
  testing::SimTime& time_;
  testing::FixedRandom random_;
  RecordDoor& door_;
  Metrics& metrics_;
  const MakeHandlersWith make_handlers_;
  const Violated violated_;
  CloudSink cloud_;
  testing::FakeSpoolStore disk_;
  double disk_failing_ = 0;
  std::map<uint64_t, std::string> letters_;  // key of each record that was to become a dead letter
  std::deque<std::unique_ptr<Life>> lives_;  // the dead ones too: their timers still name them
  std::deque<Handlers> handlers_;
  std::deque<Entry> entries_;
  std::deque<std::unique_ptr<testing::FakeCall>> abandoned_;
  uint64_t step_ = 0;
};

}  // namespace sidecar::sim
