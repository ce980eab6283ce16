#include "core/background_refresh.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace sidecar {

void BackgroundRefresh::Start(std::vector<EntityKey> keys) {
  keys.resize(std::min(keys.size(), settings_.queue_max));
  absl::MutexLock lock(&mu_);
  queue_.assign(std::make_move_iterator(keys.begin()), std::make_move_iterator(keys.end()));
  Arm();
}

void BackgroundRefresh::Arm() {
  if (armed_ || queue_.empty()) return;
  armed_ = true;
  timers_.At(clock_.Now() + settings_.interval, [this] { Tick(); });
}

void BackgroundRefresh::Tick() {
  std::optional<EntityKey> key;
  {
    absl::MutexLock lock(&mu_);
    armed_ = false;
    // While upstream is not to be asked, the rest waits: it is as wanted afterwards.
    if (!queue_.empty() && under_way_ < settings_.under_way_max && resolver_.available()) {
      key = std::move(queue_.front());
      queue_.pop_front();
      ++under_way_;
    }
    Arm();
  }
  if (key.has_value()) resolver_.RefreshIfSuspect(key->view(), [this] { OneEnded(); });
}

void BackgroundRefresh::OneEnded() {
  absl::MutexLock lock(&mu_);
  --under_way_;
}

size_t BackgroundRefresh::queued() const {
  absl::MutexLock lock(&mu_);
  return queue_.size();
}

}  // namespace sidecar
