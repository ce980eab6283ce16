#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "ports/timers.h"

namespace sidecar {

/// Timers on an io_context: one kernel timer for all, an ordered map for the rest, so that
/// ten thousand waiting calls cost ten thousand map nodes and nothing else.
/// Must be destroyed after the io_context has stopped.
class AsioTimers : public Timers {
 public:
  explicit AsioTimers(boost::asio::io_context& context) : timer_(context) {}

  Id At(MonoTime when, absl::AnyInvocable<void() &&> fn) override;
  bool Cancel(Id id) override;

 private:
  using Key = std::pair<MonoTime, Id>;

  void Arm() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RunDue();

  absl::Mutex mu_;
  std::map<Key, absl::AnyInvocable<void() &&>> due_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<Id, MonoTime> when_ ABSL_GUARDED_BY(mu_);
  Id next_id_ ABSL_GUARDED_BY(mu_) = 1;
  MonoTime armed_for_ ABSL_GUARDED_BY(mu_) = MonoTime::max();
  boost::asio::steady_timer timer_ ABSL_GUARDED_BY(mu_);
};

}  // namespace sidecar
