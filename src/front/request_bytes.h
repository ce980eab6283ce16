#pragma once

#include <grpcpp/grpcpp.h>

#include <optional>
#include <string>
#include <string_view>

namespace sidecar {

/// The bytes of one request after the other, as one piece. Not thread-safe.
class RequestBytes {
 public:
  /// Where gRPC receives the request.
  grpc::ByteBuffer* buffer() { return &buffer_; }

  /// Valid until Clear. A request in one slice, as nearly all are, is not copied.
  std::string_view View();

  /// Makes ready for the next request; gives back what a large one took.
  void Clear();

  /// Bytes that stay allocated after Clear.
  size_t kept() const { return joined_.capacity(); }

 private:
  grpc::ByteBuffer buffer_;
  std::optional<grpc::Slice> single_slice_;
  std::string joined_;  // of a request in several slices
};

}  // namespace sidecar
