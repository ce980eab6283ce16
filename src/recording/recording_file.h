// The file of a recording: written by a thread of its own, bounded, and read back.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "adapters/snapshot/disk.h"
#include "adapters/snapshot/frame.h"
#include "domain/entitlement.h"
#include "domain/time.h"
#include "recording/recording.pb.h"

namespace sidecar::recording {

inline constexpr snapshot::FileFormat kRecordingFormat{
    .magic = {"\x89SGREC\r\n", 8}, .version = 1, .name = "recording"};

/// Nothing waits for the disk. When the file is full, the disk fails or is too slow, the
/// recording ends there, with one line in the log: a recording with a gap replays nothing.
/// Thread-safe.
class RecordingFile {
 public:
  struct Options {
    std::string path;  ///< an earlier recording is replaced; mode 0600
    uint64_t bytes_max = 64 << 20;
    size_t queued_bytes_max = 8 << 20;  ///< waiting for the disk
  };

  /// UNAVAILABLE: it cannot be made, or something else has that name.
  static absl::StatusOr<std::unique_ptr<RecordingFile>> Create(Options options, std::string_view header);
  ~RecordingFile();

  void Append(std::string_view frames);
  /// Ends the recording for that reason.
  void Stop(std::string_view reason);
  /// Writes what is queued, for at most `patience`, and ends. Called by one thread.
  void Close(Millis patience);

  bool writing() const { return writing_.load(std::memory_order_relaxed); }
  uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }  ///< taken so far

 private:
  RecordingFile(Options options, snapshot::File file) : options_(std::move(options)), file_(std::move(file)) {}
  void Run();

  const Options options_;
  const snapshot::File file_;
  std::atomic<bool> writing_{true};
  std::atomic<uint64_t> bytes_{0};
  absl::Mutex mu_;
  std::string queued_ ABSL_GUARDED_BY(mu_);
  bool closing_ ABSL_GUARDED_BY(mu_) = false;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;  // last
};

/// Whether the milliseconds, of either clock, are within what daemons write: ten thousand years.
inline bool IsTime(int64_t ms) {
  constexpr int64_t kMost = 10'000LL * 366 * 86'400'000;
  return ms >= -kMost && ms <= kMost;
}

/// A recording as it was written.
struct Recording {
  struct Step {
    stigg::sidecar::recording::Event event;
    std::optional<CustomerEntitlements> entitlements;  ///< what the event is about
  };
  stigg::sidecar::recording::Header header;
  std::vector<Step> steps;
  std::string tail;  ///< why what follows was not read; empty: all was
};

/// Reads all of it; what is torn at its end is left out. NOT_FOUND, UNAVAILABLE: cannot be
/// read. DATA_LOSS: not a recording, or damaged at its beginning. FAILED_PRECONDITION: of
/// another format.
absl::StatusOr<Recording> ReadRecording(const std::string& path);

}  // namespace sidecar::recording
