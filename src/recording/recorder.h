// Recording: everything that the core hears happens one after the other, at an instant that
// stands still meanwhile, and is written down in that order. That is what makes a replay exact.
// Source: docs/adr/0026.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "adapters/snapshot/entry_codec.h"
#include "ports/clock.h"
#include "ports/random.h"
#include "recording/recording.pb.h"
#include "recording/recording_file.h"
#include "recording/redaction.h"
#include "recording/seeded_random.h"

namespace sidecar::recording {

using Event = stigg::sidecar::recording::Event;

/// Thread-safe. Once Begin has succeeded it writes until the file is full, or closed; what it
/// orders stays ordered afterwards. Lives as long as what it is given to.
class Recorder {
 public:
  /// `clock` must outlive it.
  explicit Recorder(Clock& clock);

  /// Begins to write. `header`'s seed is set here. UNAVAILABLE: the file cannot be made.
  absl::Status Begin(RecordingFile::Options options, stigg::sidecar::recording::Header header);
  /// Writes what is queued and ends the file; waits for the disk until `deadline`.
  void End(MonoTime deadline);

  /// What happens while one lives is one step: no other begins, and the clock of this thread
  /// stands still. Steps nest; what was given to AfterStep runs after the outermost.
  class Step {
   public:
    explicit Step(Recorder& recorder);
    ~Step();
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;

   private:
    Recorder& recorder_;
  };

  /// Runs `fn` when the step is over and nothing is locked: for what calls out of the core.
  void AfterStep(absl::AnyInvocable<void() &&> fn);

  /// Writes the event down, at the step's instant. Inside a step.
  void Write(Event& event);
  /// The same, and the list that it is about before it.
  void Write(Event& event, const CustomerEntitlements& entitlements);

  /// Asked at the start of each step: whether upstream may be asked.
  void WatchAvailability(absl::AnyInvocable<bool() const> available) { available_ = std::move(available); }
  /// What it said. Inside a step.
  bool available() const;

  /// Whether this thread is inside a step.
  bool inside() const;
  /// The report that the step is about.
  struct About {
    uint64_t request = 0;  ///< 0: none
    uint32_t part = 0;     ///< that upstream is asked next
  };
  About about() const;
  void SetAbout(About about);
  uint64_t NextRequest() { return next_request_++; }

  /// Stands still inside a step.
  Clock& clock() { return frozen_; }
  /// The same numbers whenever the seed is the same.
  Random& random() { return random_; }
  const Redaction& redaction() const { return redaction_; }

  bool writing() const { return file_ != nullptr && file_->writing(); }
  uint64_t bytes() const { return file_ == nullptr ? 0 : file_->bytes(); }

 private:
  class FrozenClock : public Clock {
   public:
    FrozenClock(Recorder& recorder, Clock& real) : recorder_(recorder), real_(real) {}
    MonoTime Now() const override;
    WallTime WallNow() const override;
    std::chrono::nanoseconds Stopwatch() const override { return real_.Stopwatch(); }

   private:
    Recorder& recorder_;
    Clock& real_;
  };

  void Lock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mu_.Lock(); }
  void Unlock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mu_.Unlock(); }

  Clock& clock_;
  FrozenClock frozen_;
  const uint64_t seed_;
  SeededRandom random_;
  const Redaction redaction_;
  absl::AnyInvocable<bool() const> available_;
  std::unique_ptr<RecordingFile> file_;
  std::atomic<uint64_t> next_request_{1};

  absl::Mutex mu_;  // held during a step
  // Touched inside steps only.
  snapshot::EntryEncoder lists_;
  std::string buffer_;
  bool last_available_ = true;
};

}  // namespace sidecar::recording
