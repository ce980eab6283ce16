#include "adapters/snapshot/frame.h"

#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "text/text.h"

namespace sidecar::snapshot {
namespace {

constexpr size_t kBufferBytes = 256 << 10;
constexpr size_t kFrameHeadBytes = 5;
constexpr size_t kChecksumBytes = 4;

void AppendNumber(std::string& out, uint32_t number) {
  for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(number >> shift));
}

uint32_t NumberAt(const char* at) {
  uint32_t number = 0;
  for (int i = 3; i >= 0; --i) number = number << 8 | static_cast<uint8_t>(at[i]);
  return number;
}

uint32_t Checksum(const char* data, size_t size) {
  return static_cast<uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(data), size));
}

}  // namespace

void AppendPreamble(std::string& out, const FileFormat& format) {
  const size_t begin = out.size();
  out.append(format.magic);
  AppendNumber(out, format.version);
  AppendNumber(out, Checksum(out.data() + begin, out.size() - begin));
}

void AppendFrame(std::string& out, FrameKind kind, std::string_view payload) {
  const size_t begin = out.size();
  out.push_back(static_cast<char>(kind));
  AppendNumber(out, static_cast<uint32_t>(payload.size()));
  out.append(payload);
  AppendNumber(out, Checksum(out.data() + begin, out.size() - begin));
}

absl::Status FrameReader::Fill(size_t bytes) {
  if (end_ - begin_ >= bytes) return absl::OkStatus();
  if (bytes > file_bytes_ - offset_) return absl::OutOfRangeError("");
  buffer_.erase(0, begin_);
  end_ -= begin_;
  begin_ = 0;
  buffer_.resize(std::max(bytes, kBufferBytes));
  while (end_ < bytes) {
    const ssize_t got = read(fd_, buffer_.data() + end_, buffer_.size() - end_);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Unavailable("cannot be read: ", std::strerror(errno));
    if (got == 0) return absl::OutOfRangeError("");  // cut short since it was opened
    end_ += static_cast<size_t>(got);
  }
  return absl::OkStatus();
}

absl::Status FrameReader::ReadPreamble(const FileFormat& format) {
  if (absl::Status status = Fill(kPreambleBytes); !status.ok()) {
    if (!absl::IsOutOfRange(status)) return status;
    return Error(absl::StatusCode::kDataLoss, "it has only ", file_bytes_, " bytes");
  }
  const char* const at = buffer_.data() + begin_;
  if (std::string_view(at, format.magic.size()) != format.magic) {
    return Error(absl::StatusCode::kDataLoss, "it does not begin as a ", format.name, " does");
  }
  constexpr size_t kChecked = kPreambleBytes - kChecksumBytes;
  if (NumberAt(at + kChecked) != Checksum(at, kChecked)) {
    return absl::DataLossError("the checksum of its first 16 bytes is wrong");
  }
  const uint32_t version = NumberAt(at + format.magic.size());
  if (version != format.version) {
    return Error(absl::StatusCode::kFailedPrecondition, "it has format version ", version,
                 ", this daemon reads version ", format.version);
  }
  begin_ += kPreambleBytes;
  offset_ += kPreambleBytes;
  return absl::OkStatus();
}

absl::StatusOr<Frame> FrameReader::Next() {
  frame_offset_ = offset_;
  if (offset_ == file_bytes_) return absl::OutOfRangeError("the end");
  const auto torn = [&](const absl::Status& status) {
    return absl::IsOutOfRange(status)
               ? Error(absl::StatusCode::kDataLoss, "it ends in the middle of the frame at byte ", frame_offset_,
                       " of ", file_bytes_)
               : status;
  };
  if (absl::Status status = Fill(kFrameHeadBytes); !status.ok()) return torn(status);
  const uint32_t length = NumberAt(buffer_.data() + begin_ + 1);
  if (length > kPayloadBytesMax) {
    return Error(absl::StatusCode::kDataLoss, "the frame at byte ", frame_offset_, " has an impossible length");
  }
  const size_t checked = kFrameHeadBytes + length;
  if (absl::Status status = Fill(checked + kChecksumBytes); !status.ok()) return torn(status);
  const char* const at = buffer_.data() + begin_;
  if (NumberAt(at + checked) != Checksum(at, checked)) {
    return Error(absl::StatusCode::kDataLoss, "the checksum of the frame at byte ", frame_offset_, " is wrong");
  }
  begin_ += checked + kChecksumBytes;
  offset_ += checked + kChecksumBytes;
  return Frame{.kind = static_cast<FrameKind>(*at), .payload = std::string_view(at + kFrameHeadBytes, length)};
}

}  // namespace sidecar::snapshot
