#include "adapters/net/asio_timers.h"

#include <spdlog/spdlog.h>

#include <exception>

namespace sidecar {

Timers::Id AsioTimers::At(MonoTime when, absl::AnyInvocable<void() &&> fn) {
  absl::MutexLock lock(&mu_);
  const Id id = next_id_++;
  due_.emplace(Key{when, id}, std::move(fn));
  when_.emplace(id, when);
  if (when < armed_for_) Arm();
  return id;
}

bool AsioTimers::Cancel(Id id) {
  absl::AnyInvocable<void() &&> dropped;  // destroyed after the lock is released
  absl::MutexLock lock(&mu_);
  const auto found = when_.find(id);
  if (found == when_.end()) return false;
  const auto entry = due_.find(Key{found->second, id});
  dropped = std::move(entry->second);
  due_.erase(entry);
  when_.erase(found);
  return true;
}

void AsioTimers::Arm() {
  if (due_.empty()) {
    armed_for_ = MonoTime::max();
    return;
  }
  armed_for_ = due_.begin()->first.first;
  timer_.expires_at(armed_for_);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) RunDue();
  });
}

void AsioTimers::RunDue() {
  const auto now = std::chrono::steady_clock::now();
  for (;;) {
    absl::AnyInvocable<void() &&> fn;
    {
      absl::MutexLock lock(&mu_);
      if (due_.empty() || due_.begin()->first.first > now) {
        Arm();
        return;
      }
      when_.erase(due_.begin()->first.second);
      fn = std::move(due_.begin()->second);
      due_.erase(due_.begin());
    }
    // Whatever one function does, the others are due, and the kernel's timer is not set.
    try {
      std::move(fn)();
    } catch (const std::exception& error) {
      spdlog::error("a timer's function failed: {}", error.what());
    } catch (...) {
      spdlog::error("a timer's function failed");
    }
  }
}

}  // namespace sidecar
