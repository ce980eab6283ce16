// Frames: how a file is cut into pieces that are checked one by one: a snapshot, or a recording.
//
//   file   preamble, frames
//   preamble (16 bytes)   magic (8), format version (4), checksum of these (4)
//   frame   kind (1), length of the payload (4), payload, checksum of all before (4)
//
// Numbers are little-endian, checksums CRC-32 (zlib's).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace sidecar::snapshot {

inline constexpr size_t kPreambleBytes = 16;

/// No frame is larger; the cache's largest record is well below.
inline constexpr size_t kPayloadBytesMax = 64 << 20;

/// Which files these are: no others are read.
struct FileFormat {
  std::string_view magic;  ///< 8 bytes; as PNG's: a transfer that changes line ends or the eighth bit shows at once
  /// A change that older daemons would misread raises this; they then refuse the file.
  uint32_t version = 1;
  std::string_view name;  ///< for error texts
};

inline constexpr FileFormat kSnapshotFormat{.magic = {"\x89SGSNP\r\n", 8}, .version = 1, .name = "snapshot"};

enum class FrameKind : uint8_t {
  kHeader = 'H',
  kFeature = 'F',
  kCurrency = 'C',
  kHotRecord = 'R',
  kColdRecord = 'r',
  kFooter = 'E',
  kEvent = 'V',  // of a recording
};

struct Frame {
  FrameKind kind{};
  std::string_view payload;  ///< valid until the next call of the reader
};

void AppendPreamble(std::string& out, const FileFormat& format = kSnapshotFormat);
/// The payload has at most kPayloadBytesMax bytes.
void AppendFrame(std::string& out, FrameKind kind, std::string_view payload);

/// Reads a file from its current position, which must be its beginning. Not thread-safe.
class FrameReader {
 public:
  /// `fd` stays the caller's; `file_bytes` is its size.
  FrameReader(int fd, uint64_t file_bytes) : fd_(fd), file_bytes_(file_bytes) {}

  /// First of all. DATA_LOSS: not such a file, or damaged. FAILED_PRECONDITION: of another
  /// format. UNAVAILABLE: cannot be read.
  absl::Status ReadPreamble(const FileFormat& format = kSnapshotFormat);

  /// The next frame, its checksum verified. OUT_OF_RANGE at the end of the file. DATA_LOSS:
  /// torn or damaged. UNAVAILABLE: cannot be read.
  absl::StatusOr<Frame> Next();

  /// Where the frame that was asked for last begins.
  uint64_t frame_offset() const { return frame_offset_; }
  /// Where it ends, if it was good.
  uint64_t offset() const { return offset_; }

 private:
  /// Makes `bytes` bytes available from begin_ on. OUT_OF_RANGE: the file ends before.
  absl::Status Fill(size_t bytes);

  const int fd_;
  const uint64_t file_bytes_;
  std::string buffer_;
  size_t begin_ = 0;  // of what was not handed out yet
  size_t end_ = 0;
  uint64_t offset_ = 0;  // of begin_ in the file
  uint64_t frame_offset_ = 0;
};

}  // namespace sidecar::snapshot
