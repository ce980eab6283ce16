// Simulated time: nothing happens until a test says so.
#pragma once

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "ports/clock.h"
#include "ports/random.h"
#include "ports/timers.h"

namespace sidecar::testing {

/// A clock that stands still, and timers that fire inside Advance, in order of their time
/// and then of their making. Thread-safe, but Advance is called by one thread at a time.
class SimTime : public Clock, public Timers {
 public:
  MonoTime Now() const override {
    absl::MutexLock lock(&mu_);
    return now_;
  }
  WallTime WallNow() const override {
    absl::MutexLock lock(&mu_);
    return wall_;
  }

  Id At(MonoTime when, absl::AnyInvocable<void() &&> fn) override {
    absl::MutexLock lock(&mu_);
    due_.emplace(std::pair{when, next_id_}, std::move(fn));
    when_.emplace(next_id_, when);
    return next_id_++;
  }

  bool Cancel(Id id) override {
    absl::MutexLock lock(&mu_);
    const auto when = when_.find(id);
    if (when == when_.end()) return false;
    due_.erase({when->second, id});
    when_.erase(when);
    return true;
  }

  void Advance(Millis by) {
    const MonoTime until = Now() + by;
    for (;;) {
      absl::AnyInvocable<void() &&> fn;
      {
        absl::MutexLock lock(&mu_);
        if (due_.empty() || due_.begin()->first.first > until) break;
        const MonoTime at = std::max(now_, due_.begin()->first.first);
        wall_ += at - now_;
        now_ = at;
        fn = std::move(due_.begin()->second);
        when_.erase(due_.begin()->first.second);
        due_.erase(due_.begin());
      }
      std::move(fn)();
    }
    absl::MutexLock lock(&mu_);
    wall_ += until - now_;
    now_ = until;
  }

  /// The wall clock alone, as an operator or NTP sets it.
  void JumpWall(Millis by) {
    absl::MutexLock lock(&mu_);
    wall_ += by;
  }
  void SetWall(WallTime wall) {
    absl::MutexLock lock(&mu_);
    wall_ = wall;
  }

  size_t pending_timers() const {
    absl::MutexLock lock(&mu_);
    return due_.size();
  }

 private:
  mutable absl::Mutex mu_;
  MonoTime now_{Millis(1'000'000)};
  WallTime wall_ = WallTimeFromEpochMs(1'795'255'200'000);  // 2026-11-21T10:00:00Z
  Id next_id_ = 1;
  std::map<std::pair<MonoTime, Id>, absl::AnyInvocable<void() &&>> due_;
  std::unordered_map<Id, MonoTime> when_;  // of each that is due
};

/// Always the same number.
class FixedRandom : public Random {
 public:
  explicit FixedRandom(double value = 0.5) : value_(value) {}
  double Uniform() override { return value_; }

 private:
  const double value_;
};

}  // namespace sidecar::testing
