#include "recording/recorder.h"

#include <algorithm>
#include <random>
#include <utility>

namespace sidecar::recording {
namespace {

/// The step that this thread is in. One recorder a thread at a time: a process has one.
struct Inside {
  const Recorder* recorder = nullptr;
  int depth = 0;
  MonoTime now;
  WallTime wall;
  bool available = true;
  Recorder::About about;
  std::vector<absl::AnyInvocable<void() &&>> after;
};

Inside& ThisThread() {
  thread_local Inside inside;
  return inside;
}

}  // namespace

Recorder::Recorder(Clock& clock)
    : clock_(clock), frozen_(*this, clock), seed_(std::random_device()()), random_(seed_) {}

absl::Status Recorder::Begin(RecordingFile::Options options, stigg::sidecar::recording::Header header) {
  header.set_seed(seed_);
  auto file = RecordingFile::Create(std::move(options), header.SerializeAsString());
  if (!file.ok()) return file.status();
  const Step step(*this);
  file_ = *std::move(file);
  Event event;
  event.set_available(last_available_ = ThisThread().available);
  Write(event);
  return absl::OkStatus();
}

void Recorder::End(MonoTime deadline) {
  if (file_ != nullptr) file_->Close(std::max(Millis(0), deadline - clock_.Now()));
}

Recorder::Step::Step(Recorder& recorder) : recorder_(recorder) {
  Inside& inside = ThisThread();
  if (inside.recorder == &recorder) {
    ++inside.depth;
    return;
  }
  recorder.Lock();
  inside.recorder = &recorder;
  inside.depth = 1;
  inside.now = recorder.clock_.Now();
  inside.wall = recorder.clock_.WallNow();
  inside.about = {};
  inside.available = !recorder.available_ || recorder.available_();
  if (inside.available != recorder.last_available_) {
    recorder.last_available_ = inside.available;
    Event event;
    event.set_available(inside.available);
    recorder.Write(event);
  }
}

Recorder::Step::~Step() {
  Inside& inside = ThisThread();
  if (--inside.depth > 0) return;
  std::vector<absl::AnyInvocable<void()&&>> after = std::exchange(inside.after, {});
  inside.recorder = nullptr;
  recorder_.Unlock();
  for (auto& fn : after) std::move(fn)();
}

void Recorder::AfterStep(absl::AnyInvocable<void() &&> fn) { ThisThread().after.push_back(std::move(fn)); }

void Recorder::Write(Event& event) {
  if (!writing()) return;
  const Inside& inside = ThisThread();
  event.set_now_ms(inside.now.time_since_epoch().count());
  event.set_wall_ms(ToEpochMs(inside.wall));
  snapshot::AppendFrame(buffer_, snapshot::FrameKind::kEvent, event.SerializeAsString());
  file_->Append(buffer_);
  buffer_.clear();
}

void Recorder::Write(Event& event, const CustomerEntitlements& entitlements) {
  if (!writing()) return;
  if (!lists_.Append({.entitlements = entitlements}, buffer_)) return file_->Stop("a list is too large for a frame");
  Write(event);
}

bool Recorder::available() const { return ThisThread().available; }
bool Recorder::inside() const { return ThisThread().recorder == this; }
Recorder::About Recorder::about() const { return inside() ? ThisThread().about : About{}; }
void Recorder::SetAbout(About about) { ThisThread().about = about; }

MonoTime Recorder::FrozenClock::Now() const { return recorder_.inside() ? ThisThread().now : real_.Now(); }
WallTime Recorder::FrozenClock::WallNow() const { return recorder_.inside() ? ThisThread().wall : real_.WallNow(); }

}  // namespace sidecar::recording
