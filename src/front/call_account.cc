#include "front/call_account.h"

#include <string>

#include "text/text.h"

namespace sidecar {

void CallAccount::Begin(Method method) {
  method_ = method;
  caller_.reset();
  own_.reset();
  arrived_at_ = std::chrono::steady_clock::now();
}

std::optional<TraceContext> CallAccount::Trace(const CallBooks& books, std::string_view traceparent) {
  if (!caller_.has_value()) {
    caller_ = TraceContext::Parse(traceparent);
    if (caller_.has_value() && caller_->sampled && books.tracer != nullptr) own_ = books.tracer->Child(*caller_);
  }
  return own_.has_value() ? own_ : caller_;
}

void CallAccount::End(const CallBooks& books, int code, std::string_view traceparent) {
  const std::chrono::nanoseconds took = std::chrono::steady_clock::now() - arrived_at_;
  books.metrics[static_cast<size_t>(method_)].Ended(code, took);
  if (books.tracer == nullptr) return;
  Trace(books, traceparent);
  if (!own_.has_value()) return;
  books.tracer->Record({.context = *own_,
                        .parent = caller_->span_id,
                        .kind = Span::Kind::kServer,
                        .name = StrCat(kServiceName, "/", Name(method_)),
                        .took = took,
                        .failed = code != 0,
                        .attributes = {{"rpc.system", "grpc"},
                                       {"rpc.service", std::string(kServiceName)},
                                       {"rpc.grpc.status_code", std::to_string(code)}}});
}

}  // namespace sidecar
