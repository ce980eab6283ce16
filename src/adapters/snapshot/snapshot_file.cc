#include "adapters/snapshot/snapshot_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "text/text.h"

namespace sidecar {

using snapshot::AppendFrame;
using snapshot::AppendPreamble;
using snapshot::File;
using snapshot::Frame;
using snapshot::FrameKind;
using snapshot::FrameReader;

namespace {

constexpr size_t kBlockBytes = 256 << 10;

/// Frames between two calls of keep_going while a file is read back.
constexpr size_t kFramesPerStep = 256;

using TakeFrame = absl::FunctionRef<absl::Status(const Frame&)>;

bool IsRecord(FrameKind kind) { return kind == FrameKind::kHotRecord || kind == FrameKind::kColdRecord; }

/// A payload whose checksum is right and that cannot be read all the same.
absl::Status Nonsense() { return absl::DataLossError("cannot be read"); }

template <typename Message>
bool Parse(std::string_view payload, Message& message) {
  return message.ParseFromArray(payload.data(), static_cast<int>(payload.size()));
}

/// Reads a file from end to end and hands out its header, definitions and records; the first
/// error of `take` ends it. Frames of a kind that this daemon does not know are left out. OK:
/// the file is whole, and nothing follows its last frame.
absl::Status Scan(const File& file, TakeFrame take) {
  struct stat info {};
  if (fstat(file.fd(), &info) != 0 || lseek(file.fd(), 0, SEEK_SET) != 0) {
    return Unavailable("cannot be read: ", std::strerror(errno));
  }
  if (!S_ISREG(info.st_mode)) return Unavailable("is not a regular file");
  const auto bytes = static_cast<uint64_t>(info.st_size);
  FrameReader reader(file.fd(), bytes);
  if (absl::Status status = reader.ReadPreamble(); !status.ok()) return status;
  const auto damaged = [&](std::string_view what) {
    return Error(absl::StatusCode::kDataLoss, "the frame at byte ", reader.frame_offset(), " ", what);
  };
  uint64_t records = 0;
  for (bool first = true;; first = false) {
    const absl::StatusOr<Frame> frame = reader.Next();
    if (absl::IsOutOfRange(frame.status())) {
      return Error(absl::StatusCode::kDataLoss, "it ends at byte ", bytes, ", before its last frame");
    }
    if (!frame.ok()) return frame.status();
    if (first != (frame->kind == FrameKind::kHeader)) return damaged("is not the one expected there");
    if (frame->kind == FrameKind::kFooter) {
      stigg::sidecar::snapshot::Footer footer;
      if (!Parse(frame->payload, footer) || footer.records() != records) return damaged("counts other records");
      if (reader.offset() != bytes) return damaged("is not the last one");
      return absl::OkStatus();
    }
    if (IsRecord(frame->kind)) ++records;
    if (absl::Status status = take(*frame); !status.ok()) {
      return absl::IsDataLoss(status) ? damaged(Message(status)) : status;
    }
  }
}

}  // namespace

/// The file under construction.
class SnapshotFile::Writer {
 public:
  Writer(const File& file, KeepGoing keep_going) : file_(file), keep_going_(keep_going) {}

  std::string& buffer() { return buffer_; }
  uint64_t bytes() const { return written_ + buffer_.size(); }

  absl::Status FlushIfFull() { return buffer_.size() < kBlockBytes ? absl::OkStatus() : Flush(); }
  absl::Status Flush() {
    if (!keep_going_()) return absl::CancelledError("given up");
    if (absl::Status status = snapshot::WriteAll(file_, buffer_); !status.ok()) return status;
    written_ += buffer_.size();
    buffer_.clear();
    return absl::OkStatus();
  }

 private:
  const File& file_;
  const KeepGoing keep_going_;
  std::string buffer_;
  uint64_t written_ = 0;
};

absl::Status SnapshotFile::TakeLock() {
  if (lock_.open()) return absl::OkStatus();
  absl::StatusOr<File> lock = snapshot::Lock(options_.path + ".lock");
  if (!lock.ok()) return lock.status();
  lock_ = *std::move(lock);
  return absl::OkStatus();
}

absl::StatusOr<SnapshotSize> SnapshotFile::Write(NextEntry next, KeepGoing keep_going) {
  if (absl::Status status = TakeLock(); !status.ok()) {
    return absl::IsNotFound(status) ? Unavailable(Message(status)) : status;
  }
  absl::StatusOr<SnapshotSize> size = WriteTemporary(next, keep_going);
  absl::Status status = size.status();
  if (status.ok()) status = Verify(*size, keep_going);
  if (status.ok()) status = snapshot::Rename(TemporaryPath(), options_.path);
  if (!status.ok()) {
    unlink(TemporaryPath().c_str());
    return status;
  }
  if (status = snapshot::SyncDirectoryOf(options_.path); !status.ok()) return status;
  return size;
}

absl::StatusOr<SnapshotSize> SnapshotFile::WriteTemporary(NextEntry next, KeepGoing keep_going) {
  unlink(TemporaryPath().c_str());  // of a process that was killed
  const absl::StatusOr<File> file = snapshot::Open(TemporaryPath(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  if (!file.ok()) return Unavailable(Message(file.status()));
  Writer writer(*file, keep_going);
  stigg::sidecar::snapshot::Header header;
  header.set_created_at_ms(ToEpochMs(clock_.WallNow()));
  header.set_written_by(options_.written_by);
  snapshot::Describe(options_.environment, header);
  AppendPreamble(writer.buffer());
  AppendFrame(writer.buffer(), FrameKind::kHeader, header.SerializeAsString());

  SnapshotSize size;
  snapshot::EntryEncoder encoder;
  constexpr uint64_t kFooterBytesMax = 32;
  while (const SnapshotEntry* const entry = next()) {
    const size_t before = writer.buffer().size();
    if (!encoder.Append(*entry, writer.buffer())) {
      size.complete = false;
      continue;
    }
    if (writer.bytes() + kFooterBytesMax > options_.bytes_max) {
      writer.buffer().resize(before);  // new definitions too: nothing follows that names them
      size.complete = false;
      break;
    }
    ++size.records;
    if (absl::Status status = writer.FlushIfFull(); !status.ok()) return status;
  }
  stigg::sidecar::snapshot::Footer footer;
  footer.set_records(size.records);
  AppendFrame(writer.buffer(), FrameKind::kFooter, footer.SerializeAsString());
  if (absl::Status status = writer.Flush(); !status.ok()) return status;
  if (absl::Status status = snapshot::Sync(*file); !status.ok()) return status;
  size.bytes = writer.bytes();
  return size;
}

absl::Status SnapshotFile::Verify(const SnapshotSize& written, KeepGoing keep_going) {
  const absl::StatusOr<File> file = snapshot::Open(TemporaryPath(), O_RDONLY);
  if (!file.ok()) return file.status();
  size_t records = 0;
  size_t frames = 0;
  absl::Status status = Scan(*file, [&](const Frame& frame) {
    if (IsRecord(frame.kind)) ++records;
    if (++frames % kFramesPerStep == 0 && !keep_going()) return absl::CancelledError("given up");
    return absl::OkStatus();
  });
  if (absl::IsCancelled(status) || (status.ok() && records == written.records)) return status;
  return Unavailable("what was written did not read back: ", Message(status));
}

absl::Status SnapshotFile::Read(TakeEntry take) {
  absl::Status locked = TakeLock();
  if (absl::IsAborted(locked)) return locked;
  // A directory that is read-only has no lock, and no other process that writes.
  if (locked.ok()) unlink(TemporaryPath().c_str());
  const absl::StatusOr<File> file = snapshot::Open(options_.path, O_RDONLY | O_NONBLOCK);
  if (!file.ok()) return file.status();

  absl::Status status;
  for (const FrameKind wanted : {FrameKind::kHotRecord, FrameKind::kColdRecord}) {
    snapshot::EntryDecoder decoder;
    status.Update(Scan(*file, [&](const Frame& frame) {
      switch (frame.kind) {
        case FrameKind::kHeader: {
          stigg::sidecar::snapshot::Header header;
          if (!Parse(frame.payload, header)) return Nonsense();
          const std::string_view difference = snapshot::Difference(options_.environment, header);
          if (difference.empty()) return absl::OkStatus();
          return Error(absl::StatusCode::kFailedPrecondition, "it is of another environment: ", difference);
        }
        case FrameKind::kFeature:
          return decoder.AddFeature(frame.payload) ? absl::OkStatus() : Nonsense();
        case FrameKind::kCurrency:
          return decoder.AddCurrency(frame.payload) ? absl::OkStatus() : Nonsense();
        default:
          break;
      }
      if (frame.kind != wanted) return absl::OkStatus();
      const SnapshotEntry* const entry = decoder.Decode(frame.payload, wanted == FrameKind::kHotRecord);
      if (entry == nullptr) return Nonsense();
      return take(*entry) ? absl::OkStatus() : absl::CancelledError("enough");
    }));
    if (!status.ok() && !absl::IsDataLoss(status)) break;
  }
  if (absl::IsCancelled(status)) return absl::OkStatus();
  if (absl::IsDataLoss(status) || absl::IsFailedPrecondition(status)) return SetAside(status);
  return status;
}

absl::Status SnapshotFile::SetAside(const absl::Status& why) {
  const absl::StatusOr<std::string> name = snapshot::SetAside(options_.path, clock_.WallNow());
  return Error(why.code(), Message(why), name.ok() ? "; set aside as " : "; cannot be set aside: ",
               name.ok() ? std::string_view(*name) : Message(name.status()));
}

}  // namespace sidecar
