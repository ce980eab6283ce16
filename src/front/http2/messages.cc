#include "front/http2/messages.h"

#include <zlib.h>

#include <algorithm>

#include "absl/cleanup/cleanup.h"
#include "text/text.h"

namespace sidecar {
namespace {

constexpr size_t kHeadBytes = 5;

absl::Status TooLarge(size_t size, size_t most) {
  return absl::ResourceExhaustedError(StrCat("Received message larger than max (", size, " vs. ", most, ")"));
}

}  // namespace

void MessageReader::Reset(GrpcEncoding encoding, size_t bytes_max) {
  encoding_ = encoding;
  bytes_max_ = bytes_max;
  head_.clear();
  message_.clear();
  rest_.clear();
  size_ = 0;
  compressed_ = ready_ = false;
}

absl::Status MessageReader::Take(std::string_view bytes) {
  if (!ready_) return Advance(bytes);
  rest_ += bytes;
  return absl::OkStatus();
}

absl::Status MessageReader::Next() {
  ready_ = false;
  message_.clear();
  head_.clear();
  const std::string rest = std::exchange(rest_, std::string());
  return Advance(rest);
}

absl::Status MessageReader::Advance(std::string_view bytes) {
  if (head_.size() < kHeadBytes) {
    const size_t part = std::min(bytes.size(), kHeadBytes - head_.size());
    head_ += bytes.substr(0, part);
    bytes.remove_prefix(part);
    if (head_.size() < kHeadBytes) return absl::OkStatus();
    const auto byte = [&](size_t i) { return static_cast<size_t>(static_cast<unsigned char>(head_[i])); };
    size_ = byte(1) << 24 | byte(2) << 16 | byte(3) << 8 | byte(4);
    if (byte(0) > 1) return absl::InternalError(StrCat("a message with the flag ", byte(0), "; expected 0 or 1"));
    compressed_ = byte(0) == 1;
    if (size_ > bytes_max_) return TooLarge(size_, bytes_max_);
  }
  const size_t part = std::min(bytes.size(), size_ - message_.size());
  message_ += bytes.substr(0, part);
  if (message_.size() < size_) return absl::OkStatus();
  rest_ = bytes.substr(part);
  return Complete();
}

absl::Status MessageReader::Complete() {
  ready_ = true;
  if (!compressed_) return absl::OkStatus();
  if (encoding_ == GrpcEncoding::kIdentity) {
    return absl::InternalError("a message is compressed, and grpc-encoding does not say how");
  }
  std::string inflated;
  if (absl::Status status = Inflate(message_, encoding_, bytes_max_, inflated); !status.ok()) return status;
  message_ = std::move(inflated);
  return absl::OkStatus();
}

absl::Status Inflate(std::string_view compressed, GrpcEncoding encoding, size_t bytes_max, std::string& out) {
  constexpr int kGzipToo = 16;
  z_stream stream{};
  if (inflateInit2(&stream, MAX_WBITS + (encoding == GrpcEncoding::kGzip ? kGzipToo : 0)) != Z_OK) {
    return absl::ResourceExhaustedError("no memory to decompress a message");
  }
  const absl::Cleanup end = [&] { inflateEnd(&stream); };
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
  stream.avail_in = static_cast<uInt>(compressed.size());
  char piece[16 << 10];
  for (int result = Z_OK; result != Z_STREAM_END;) {
    stream.next_out = reinterpret_cast<Bytef*>(piece);
    stream.avail_out = sizeof(piece);
    result = inflate(&stream, Z_NO_FLUSH);
    out.append(piece, sizeof(piece) - stream.avail_out);
    if (out.size() > bytes_max) return TooLarge(out.size(), bytes_max);
    const bool ended_early = result == Z_OK && stream.avail_in == 0 && stream.avail_out > 0;
    if ((result != Z_OK && result != Z_STREAM_END) || ended_early) {
      return absl::InternalError("a compressed message cannot be decompressed");
    }
  }
  return absl::OkStatus();
}

void AppendMessage(std::string_view message, std::string& out) {
  const auto size = static_cast<uint32_t>(message.size());
  const char head[kHeadBytes] = {0, static_cast<char>(size >> 24), static_cast<char>(size >> 16),
                                 static_cast<char>(size >> 8), static_cast<char>(size)};
  out.append(head, sizeof(head));
  out += message;
}

}  // namespace sidecar
