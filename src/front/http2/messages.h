// Messages within the DATA of one stream: a flag, a length, and so many bytes each.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace sidecar {

enum class GrpcEncoding { kIdentity, kGzip, kDeflate };

/// Puts the messages of one stream together, from pieces of any size. Not thread-safe.
class MessageReader {
 public:
  void Reset(GrpcEncoding encoding, size_t bytes_max);

  /// Takes the next bytes in. RESOURCE_EXHAUSTED: the message is larger than `bytes_max`, INTERNAL: it cannot be read.
  /// After an error the stream is over.
  absl::Status Take(std::string_view bytes);

  /// Whether a whole message is there: message() until Next().
  bool ready() const { return ready_; }
  std::string_view message() const { return message_; }
  /// Goes on to the next message, of which bytes may be there. Like Take.
  absl::Status Next();

  /// Whether the stream may end here: not within a message.
  bool at_boundary() const { return head_.empty() && rest_.empty() && !ready_; }
  /// What is kept.
  size_t buffered() const { return message_.size() + rest_.size(); }

 private:
  absl::Status Advance(std::string_view bytes);
  absl::Status Complete();

  GrpcEncoding encoding_ = GrpcEncoding::kIdentity;
  size_t bytes_max_ = 0;
  std::string head_;  // flag and length, as far as they are there
  std::string message_;
  size_t size_ = 0;
  bool compressed_ = false;
  bool ready_ = false;
  std::string rest_;  // after a message that is ready
};

/// At most `bytes_max` bytes of it.
absl::Status Inflate(std::string_view compressed, GrpcEncoding encoding, size_t bytes_max, std::string& out);

/// Appends flag and length, and the message.
void AppendMessage(std::string_view message, std::string& out);

}  // namespace sidecar
