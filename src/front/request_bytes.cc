#include "front/request_bytes.h"

#include <vector>

namespace sidecar {
namespace {

constexpr size_t kKeptMax = 64 << 10;

}  // namespace

std::string_view RequestBytes::View() {
  if (single_slice_.has_value()) {
    return {reinterpret_cast<const char*>(single_slice_->begin()), single_slice_->size()};
  }
  if (!joined_.empty()) return joined_;
  single_slice_.emplace();
  if (buffer_.TrySingleSlice(&*single_slice_).ok()) return View();
  single_slice_.reset();
  std::vector<grpc::Slice> slices;
  if (buffer_.Dump(&slices).ok()) {
    joined_.reserve(buffer_.Length());
    for (const grpc::Slice& slice : slices) joined_.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return joined_;
}

void RequestBytes::Clear() {
  buffer_.Clear();
  single_slice_.reset();
  joined_.clear();
  // Not by assignment: that keeps the memory.
  if (joined_.capacity() > kKeptMax) std::string().swap(joined_);
}

}  // namespace sidecar
