// A snapshot's file: as it is, and, since checksums stop nearly everything, as frames made of the input.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "adapters/snapshot/entry_codec.h"
#include "adapters/snapshot/frame.h"
#include "fuzz/fuzz.h"

namespace {

using namespace sidecar;
using namespace sidecar::snapshot;

void Read(std::string_view file) {
  static const int fd = memfd_create("snapshot", MFD_CLOEXEC);
  fuzz::Require(ftruncate(fd, 0) == 0 && pwrite(fd, file.data(), file.size(), 0) == static_cast<ssize_t>(file.size()) &&
                    lseek(fd, 0, SEEK_SET) == 0,
                "the file can be written");
  FrameReader reader(fd, file.size());
  if (!reader.ReadPreamble().ok()) return;
  EntryDecoder decoder;
  for (;;) {
    const auto frame = reader.Next();
    if (!frame.ok()) return;
    fuzz::Require(reader.offset() <= file.size(), "nothing is read beyond the end");
    switch (frame->kind) {
      case FrameKind::kFeature:
        decoder.AddFeature(frame->payload);
        break;
      case FrameKind::kCurrency:
        decoder.AddCurrency(frame->payload);
        break;
      case FrameKind::kHotRecord:
      case FrameKind::kColdRecord: {
        const SnapshotEntry* const entry = decoder.Decode(frame->payload, frame->kind == FrameKind::kHotRecord);
        if (entry == nullptr) break;
        std::string again;
        EntryEncoder().Append(*entry, again);
        break;
      }
      default:
        break;
    }
  }
}

}  // namespace

/// "raw" and bytes; or pieces: kind, length (2 bytes, little-endian), payload.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input = fuzz::Text(data, size);
  if (input.starts_with("raw")) {
    Read(input.substr(3));
    return 0;
  }
  std::string file;
  AppendPreamble(file);
  for (size_t at = 0; at + 3 <= size;) {
    const size_t length = std::min<size_t>(data[at + 1] | data[at + 2] << 8, size - at - 3);
    AppendFrame(file, static_cast<FrameKind>(data[at]), input.substr(at + 3, length));
    at += 3 + length;
  }
  Read(file);
  return 0;
}
