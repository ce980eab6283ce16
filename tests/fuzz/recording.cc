// A recording: frames made of the input, read and replayed.
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "adapters/snapshot/frame.h"
#include "fuzz/fuzz.h"
#include "recording/replay.h"

using namespace sidecar;
using namespace sidecar::recording;

/// Pieces: kind, length (2 bytes, little-endian), payload. The first is the header's payload,
/// whatever its kind.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input = fuzz::Text(data, size);
  std::string file;
  snapshot::AppendPreamble(file, kRecordingFormat);
  bool header = true;
  for (size_t at = 0; at + 3 <= size;) {
    const size_t length = std::min<size_t>(data[at + 1] | data[at + 2] << 8, size - at - 3);
    const auto kind = header ? snapshot::FrameKind::kHeader : static_cast<snapshot::FrameKind>(data[at]);
    snapshot::AppendFrame(file, kind, input.substr(at + 3, length));
    header = false;
    at += 3 + length;
  }
  static const int fd = memfd_create("recording", MFD_CLOEXEC);
  fuzz::Require(ftruncate(fd, 0) == 0 && pwrite(fd, file.data(), file.size(), 0) == static_cast<ssize_t>(file.size()),
                "the file can be written");
  const auto recording = ReadRecording("/proc/self/fd/" + std::to_string(fd));
  if (!recording.ok()) return 0;
  uint64_t differing = 0;
  const ReplayReport report =
      Replay(*recording, {.differs = [&](const AnswerDiffers&) { ++differing; }, .progress = [](size_t, size_t) {}});
  fuzz::Require(report.differing == differing, "each difference is told");
  fuzz::Require(report.compared <= report.requests, "no answer without a request");
  return 0;
}
