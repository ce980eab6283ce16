#include "app/api_key.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "adapters/system/files.h"
#include "config/load.h"

namespace sidecar {
namespace {

constexpr Millis kReadEvery{1'000};

}  // namespace

ApiKey::ApiKey(const Secret& secret, Clock& clock, Timers& timers, std::function<void()> changed)
    : file_(secret.file), clock_(clock), timers_(timers), changed_(std::move(changed)), value_(secret.value) {
  if (!file_.empty()) Watch();
}

void ApiKey::Watch() {
  timers_.At(clock_.Now() + kReadEvery, [this] {
    // Read anew each time instead of watching for events: mounted secrets change by a swap
    // of symbolic links. A file that is gone or empty for a moment leaves the key as it is.
    const absl::StatusOr<std::string> read = ReadSecretFile(file_, ReadFile);
    bool changed = false;
    if (read.ok()) {
      absl::MutexLock lock(&mu_);
      changed = *read != value_;
      if (changed) value_ = *read;
    }
    if (changed) {
      spdlog::warn("the API key was read again from its file");
      changed_();
    }
    Watch();
  });
}

}  // namespace sidecar
