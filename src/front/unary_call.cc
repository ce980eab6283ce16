#include "front/unary_call.h"

#include <vector>

#include "text/text.h"

namespace sidecar {

void UnaryCall::Await(Method method) {
  method_ = method;
  finishing_ = false;
  context_.emplace();
  responder_.emplace(&*context_);
  RequestCall(owner_.service_, method_, &*context_, &request_, &*responder_, owner_.queue(),
              static_cast<QueueTag*>(this));
}

void UnaryCall::OnEvent(bool ok) {
  if (finishing_) {
    owner_.running_.store(owner_.running_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  } else if (ok) {
    owner_.Await(method_);
    owner_.running_.store(owner_.running_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    owner_.handlers_[static_cast<size_t>(method_)](*this);
    return;
  }
  // Ended, or the server shuts down and no call will come.
  responder_.reset();
  context_.reset();
  request_.Clear();
  single_slice_.reset();
  joined_.clear();
  owner_.Recycle(std::unique_ptr<UnaryCall>(this));
}

std::string_view UnaryCall::request() {
  if (single_slice_.has_value()) {
    return {reinterpret_cast<const char*>(single_slice_->begin()), single_slice_->size()};
  }
  if (!joined_.empty()) return joined_;
  single_slice_.emplace();
  if (request_.TrySingleSlice(&*single_slice_).ok()) return request();
  single_slice_.reset();
  std::vector<grpc::Slice> slices;
  if (request_.Dump(&slices).ok()) {
    for (const grpc::Slice& slice : slices) joined_.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return joined_;
}

std::optional<MonoTime> UnaryCall::deadline() {
  const auto deadline = context_->deadline();
  if (deadline == std::chrono::system_clock::time_point::max()) return std::nullopt;
  // gRPC turned the caller's time-out into an instant of the wall clock; turn it back at once.
  const auto left = deadline - std::chrono::system_clock::now();
  return std::chrono::time_point_cast<Millis>(std::chrono::steady_clock::now() + left);
}

std::string_view UnaryCall::Metadata(std::string_view name) {
  const auto& metadata = context_->client_metadata();
  const auto found = metadata.find(grpc::string_ref(name.data(), name.size()));
  return found == metadata.end() ? std::string_view() : std::string_view(found->second.data(), found->second.size());
}

void UnaryCall::AddTrailers(const AnswerOrigin& origin) {
  context_->AddTrailingMetadata("x-entitlement-source", std::string(Name(origin.source)));
  context_->AddTrailingMetadata("x-entitlement-age-ms", StrCat(origin.age.count()));
}

void UnaryCall::Finish(std::string_view response, const AnswerOrigin& origin) {
  if (origin.source != AnswerOrigin::Source::kNone && (!origin.routine || !Metadata("x-entitlement-trace").empty())) {
    AddTrailers(origin);
  }
  if (origin.durable) context_->AddTrailingMetadata("x-report-status", "durable");
  const grpc::Slice slice(response.data(), response.size());
  const grpc::ByteBuffer message(&slice, 1);
  finishing_ = true;
  responder_->Finish(message, grpc::Status::OK, static_cast<QueueTag*>(this));
}

void UnaryCall::Fail(const absl::Status& status, std::string_view details) {
  finishing_ = true;
  responder_->FinishWithError(
      grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()), std::string(details)),
      static_cast<QueueTag*>(this));
}

}  // namespace sidecar
