#pragma once

#include <grpcpp/grpcpp.h>

#include <optional>

#include "front/call_account.h"
#include "front/call_queue.h"
#include "front/queue_tag.h"
#include "front/request_bytes.h"

namespace sidecar {

/// One unary RPC on grpc++, and the Call that its handler sees. Reused from call to call.
class UnaryCall final : public Call, public QueueTag {
 public:
  explicit UnaryCall(CallQueue& owner) : owner_(owner) {}

  /// Waits for a call of the method.
  void Await(Method method);

  void OnEvent(bool ok) override;

  std::string_view request() override { return request_.View(); }
  std::optional<MonoTime> deadline() override;
  std::string_view Metadata(std::string_view name) override;
  std::optional<TraceContext> Trace() override;
  void Finish(std::string_view response, const AnswerOrigin& origin) override;
  void Fail(const absl::Status& status, std::string_view details) override;

 private:
  void AddTrailers(const AnswerOrigin& origin);
  void Count(int code);

  CallQueue& owner_;
  Method method_{};
  bool finishing_ = false;
  CallAccount account_;
  // Made anew for each call: grpc++ cannot reuse them.
  std::optional<grpc::ServerContext> context_;
  std::optional<RawResponder> responder_;
  RequestBytes request_;
};

}  // namespace sidecar
