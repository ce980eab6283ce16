#include "front/unary_call.h"

#include <algorithm>
#include <string>

namespace sidecar {
namespace {

/// A caller that waits for a day does not mean it as a limit.
constexpr int64_t kNoDeadlineSeconds = 86'400;

}  // namespace

void UnaryCall::Await(Method method) {
  method_ = method;
  finishing_ = false;
  context_.emplace();
  responder_.emplace(&*context_);
  RequestCall(owner_.service_, method_, &*context_, request_.buffer(), &*responder_, owner_.queue(),
              static_cast<QueueTag*>(this));
}

void UnaryCall::OnEvent(bool ok) {
  if (finishing_) {
    owner_.ended_.store(owner_.ended_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  } else if (ok) {
    owner_.Await(method_);
    owner_.arrived_.store(owner_.arrived_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    account_.Begin(method_);
    owner_.handlers_[static_cast<size_t>(method_)](*this);
    return;
  }
  // Ended, or the server shuts down and no call will come.
  responder_.reset();
  context_.reset();
  request_.Clear();
  owner_.Recycle(std::unique_ptr<UnaryCall>(this));
}

std::optional<MonoTime> UnaryCall::deadline() {
  // Not context_->deadline(): what is 292 years away overflows there. As a time that is left,
  // an infinite one is merely very long.
  const gpr_timespec deadline = context_->raw_deadline();
  const gpr_timespec left = gpr_time_sub(deadline, gpr_now(deadline.clock_type));
  if (left.tv_sec >= kNoDeadlineSeconds) return std::nullopt;
  const auto left_ms = std::chrono::seconds(std::max(left.tv_sec, -kNoDeadlineSeconds)) +
                       std::chrono::duration_cast<Millis>(std::chrono::nanoseconds(left.tv_nsec));
  return std::chrono::time_point_cast<Millis>(std::chrono::steady_clock::now() + left_ms);
}

std::string_view UnaryCall::Metadata(std::string_view name) {
  const auto& metadata = context_->client_metadata();
  const auto found = metadata.find(grpc::string_ref(name.data(), name.size()));
  return found == metadata.end() ? std::string_view() : std::string_view(found->second.data(), found->second.size());
}

std::optional<TraceContext> UnaryCall::Trace() { return account_.Trace(owner_.books_, Metadata("traceparent")); }

void UnaryCall::Count(int code) {
  account_.End(owner_.books_, code, owner_.books_.tracer == nullptr ? std::string_view() : Metadata("traceparent"));
}

void UnaryCall::AddTrailers(const AnswerOrigin& origin) {
  static const std::string kSource = "x-entitlement-source";
  static const std::string kAge = "x-entitlement-age-ms";
  context_->AddTrailingMetadata(kSource, std::string(Name(origin.source)));
  context_->AddTrailingMetadata(kAge, std::to_string(origin.age.count()));
}

void UnaryCall::Finish(std::string_view response, const AnswerOrigin& origin) {
  if (origin.source != AnswerOrigin::Source::kNone && (!origin.routine || !Metadata("x-entitlement-trace").empty())) {
    AddTrailers(origin);
  }
  if (origin.durable) context_->AddTrailingMetadata("x-report-status", "durable");
  Count(GRPC_STATUS_OK);
  const grpc::Slice slice(response.data(), response.size());
  const grpc::ByteBuffer message(&slice, 1);
  finishing_ = true;
  responder_->Finish(message, grpc::Status::OK, static_cast<QueueTag*>(this));
}

void UnaryCall::Fail(const absl::Status& status, std::string_view details) {
  Count(static_cast<int>(status.code()));
  finishing_ = true;
  responder_->FinishWithError(
      grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()), std::string(details)),
      static_cast<QueueTag*>(this));
}

}  // namespace sidecar
