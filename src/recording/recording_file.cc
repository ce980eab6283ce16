#include "recording/recording_file.h"

#include <fcntl.h>
#include <pthread.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "adapters/snapshot/entry_codec.h"
#include "adapters/snapshot/frame.h"
#include "text/text.h"

namespace sidecar::recording {

using snapshot::Frame;
using snapshot::FrameKind;

namespace {

/// Removes an earlier recording, and nothing else.
absl::Status RemoveFormer(const std::string& path) {
  const absl::StatusOr<snapshot::File> file = snapshot::Open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
  if (absl::IsNotFound(file.status())) return absl::OkStatus();
  if (!file.ok()) return Unavailable(Message(file.status()));
  struct stat info {};
  if (fstat(file->fd(), &info) != 0) return Unavailable(path, ": ", std::strerror(errno));
  snapshot::FrameReader reader(file->fd(), static_cast<uint64_t>(info.st_size));
  const bool ours =
      S_ISREG(info.st_mode) && (info.st_size == 0 || !absl::IsDataLoss(reader.ReadPreamble(kRecordingFormat)));
  if (!ours) return Unavailable(path, " is there and is no recording; it is left alone");
  if (unlink(path.c_str()) != 0) return Unavailable(path, ": ", std::strerror(errno));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<RecordingFile>> RecordingFile::Create(Options options, std::string_view header) {
  if (absl::Status status = RemoveFormer(options.path); !status.ok()) return status;
  absl::StatusOr<snapshot::File> file =
      snapshot::Open(options.path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (!file.ok()) return Unavailable(Message(file.status()));
  std::string start;
  snapshot::AppendPreamble(start, kRecordingFormat);
  snapshot::AppendFrame(start, FrameKind::kHeader, header);
  std::unique_ptr<RecordingFile> recording(new RecordingFile(std::move(options), *std::move(file)));
  recording->Append(start);
  recording->thread_ = std::thread([raw = recording.get()] { raw->Run(); });
  return recording;
}

RecordingFile::~RecordingFile() {
  Close(Millis(0));
  if (thread_.joinable()) thread_.join();
}

void RecordingFile::Append(std::string_view frames) {
  if (!writing()) return;
  if (bytes() + frames.size() > options_.bytes_max) {
    return Stop(StrCat("it has RECORD_MAX_BYTES=", options_.bytes_max, " bytes"));
  }
  bool slow = false;
  {
    absl::MutexLock lock(&mu_);
    slow = queued_.size() + frames.size() > options_.queued_bytes_max;
    if (!slow) queued_ += frames;
  }
  if (slow) return Stop("the disk is too slow");
  bytes_.fetch_add(frames.size(), std::memory_order_relaxed);
}

void RecordingFile::Stop(std::string_view reason) {
  if (!writing_.exchange(false)) return;
  spdlog::warn("the recording {} has ended: {}", options_.path, reason);
  absl::MutexLock lock(&mu_);
  closing_ = true;
}

void RecordingFile::Close(Millis patience) {
  writing_ = false;
  bool ended = false;
  {
    absl::MutexLock lock(&mu_);
    closing_ = true;
    ended = mu_.AwaitWithTimeout(absl::Condition(&ended_), absl::Milliseconds(patience.count()));
  }
  if (ended && thread_.joinable()) thread_.join();
}

void RecordingFile::Run() {
  pthread_setname_np(pthread_self(), "sidecar-record");
  for (bool last = false; !last;) {
    std::string block;
    {
      absl::MutexLock lock(&mu_);
      const auto work = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return closing_ || !queued_.empty(); };
      mu_.Await(absl::Condition(&work));
      block = std::exchange(queued_, {});
      last = closing_;
    }
    if (absl::Status status = snapshot::WriteAll(file_, block); !status.ok()) {
      Stop(Message(status));
      last = true;
    }
  }
  absl::MutexLock lock(&mu_);
  ended_ = true;
}

namespace {

absl::Status TakeFrame(const Frame& frame, snapshot::EntryDecoder& lists,
                       std::optional<CustomerEntitlements>& entitlements, Recording& into) {
  const auto damaged = [] { return absl::DataLossError("a frame cannot be read"); };
  switch (frame.kind) {
    case FrameKind::kFeature:
      return lists.AddFeature(frame.payload) ? absl::OkStatus() : damaged();
    case FrameKind::kCurrency:
      return lists.AddCurrency(frame.payload) ? absl::OkStatus() : damaged();
    case FrameKind::kHotRecord:
    case FrameKind::kColdRecord: {
      const SnapshotEntry* const entry = lists.Decode(frame.payload, false);
      if (entry == nullptr) return damaged();
      entitlements = entry->entitlements;
      return absl::OkStatus();
    }
    case FrameKind::kEvent: {
      Recording::Step& step = into.steps.emplace_back();
      if (!step.event.ParseFromArray(frame.payload.data(), static_cast<int>(frame.payload.size()))) {
        into.steps.pop_back();
        return damaged();
      }
      const stigg::sidecar::recording::Event& event = step.event;
      if (!IsTime(event.now_ms()) || !IsTime(event.wall_ms()) || !IsTime(event.request().deadline_ms())) {
        into.steps.pop_back();
        return absl::DataLossError("an event has an impossible time");
      }
      step.entitlements = std::exchange(entitlements, std::nullopt);
      return absl::OkStatus();
    }
    case FrameKind::kHeader:
    case FrameKind::kFooter:
      break;
  }
  return absl::OkStatus();  // of a later daemon
}

}  // namespace

absl::StatusOr<Recording> ReadRecording(const std::string& path) {
  absl::StatusOr<snapshot::File> file = snapshot::Open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (!file.ok()) return file.status();
  struct stat info {};
  if (fstat(file->fd(), &info) != 0) return Unavailable(path, ": ", std::strerror(errno));
  if (!S_ISREG(info.st_mode)) return Unavailable(path, " is not a regular file");
  snapshot::FrameReader reader(file->fd(), static_cast<uint64_t>(info.st_size));
  const auto about = [&](const absl::Status& status) { return Error(status.code(), path, ": ", Message(status)); };
  if (absl::Status status = reader.ReadPreamble(kRecordingFormat); !status.ok()) return about(status);
  Recording recording;
  absl::StatusOr<Frame> frame = reader.Next();
  if (!frame.ok()) return about(frame.status());
  if (frame->kind != FrameKind::kHeader ||
      !recording.header.ParseFromArray(frame->payload.data(), static_cast<int>(frame->payload.size()))) {
    return about(absl::DataLossError("it has no header"));
  }
  snapshot::EntryDecoder lists;
  std::optional<CustomerEntitlements> entitlements;
  for (;;) {
    frame = reader.Next();
    if (absl::IsOutOfRange(frame.status())) return recording;
    const absl::Status status = frame.ok() ? TakeFrame(*frame, lists, entitlements, recording) : frame.status();
    if (status.ok()) continue;
    if (absl::IsUnavailable(status)) return about(status);
    recording.tail = std::string(Message(status));
    return recording;
  }
}

}  // namespace sidecar::recording
