#include "adapters/upstream/key_prober.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "text/text.h"

namespace sidecar {

void KeyProber::Start(absl::AnyInvocable<void() &&> ended) {
  {
    absl::MutexLock lock(&mu_);
    probing_ = true;
  }
  check_([this, ended = std::move(ended)](const absl::Status& status, bool invalid_key) mutable {
    if (!status.ok()) metrics_.initialization_errors.Add();
    Ended(status, invalid_key);
    std::move(ended)();
  });
}

void KeyProber::NoteRejected() {
  absl::MutexLock lock(&mu_);
  if (!std::exchange(rejected_, true)) {
    spdlog::error("upstream rejects the API key: check SERVER_API_KEY; asking again every {} s",
                  kProbeEvery.count() / 1000);
  }
  if (!probing_) Arm();
}

void KeyProber::KeyChanged() {
  {
    absl::MutexLock lock(&mu_);
    if (probing_) {
      again_ = true;
      return;
    }
    if (timer_ != Timers::kNone) timers_.Cancel(timer_);
    timer_ = Timers::kNone;
  }
  Probe();
}

void KeyProber::Arm() {
  if (timer_ != Timers::kNone) return;
  timer_ = timers_.At(clock_.Now() + kProbeEvery, [this] { Probe(); });
}

void KeyProber::Probe() {
  {
    absl::MutexLock lock(&mu_);
    timer_ = Timers::kNone;
    if (std::exchange(probing_, true)) return;
  }
  check_([this](const absl::Status& status, bool invalid_key) { Ended(status, invalid_key); });
}

void KeyProber::Ended(const absl::Status& status, bool invalid_key) {
  bool again = false;
  {
    absl::MutexLock lock(&mu_);
    probing_ = false;
    again = std::exchange(again_, false);
    if (status.ok()) {
      if (rejected_ || unreachable_) spdlog::warn("upstream accepts the API key");
      rejected_ = unreachable_ = false;
      if (timer_ != Timers::kNone) timers_.Cancel(timer_);
      timer_ = Timers::kNone;
    } else if (!invalid_key) {
      if (!std::exchange(unreachable_, true)) {
        spdlog::warn("upstream cannot be reached ({}); serving from memory and fallbacks meanwhile", Message(status));
      }
      if (rejected_) Arm();
    }
  }
  if (again) return Probe();
  if (invalid_key) NoteRejected();
}

bool KeyProber::rejected() const {
  absl::MutexLock lock(&mu_);
  return rejected_;
}

}  // namespace sidecar
