// Health and reflection: streams that are answered here, message by message.
#include "front/http2/connection.h"
#include "front/http2/shard.h"
#include "front/reflection_answers.h"
#include "grpc/health/v1/health.pb.h"

namespace sidecar {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

/// Of one shard.
constexpr size_t kStreamsMax = 1000;

template <typename Request>
bool AppendReflection(std::string_view bytes, std::string& out) {
  Request request;
  if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return false;
  AppendMessage(AnswerReflection(request).SerializeAsString(), out);
  return true;
}

void AppendHealth(int status, std::string& out) {
  HealthCheckResponse response;
  response.set_status(static_cast<HealthCheckResponse::ServingStatus>(status));
  AppendMessage(response.SerializeAsString(), out);
}

int StatusOf(HealthState::Phase phase) {
  return phase == HealthState::Phase::kServing ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
}

}  // namespace

void Http2Connection::OnMessage(Http2Call& call) {
  const std::string_view bytes = call.reader.message();
  const bool first = !call.responded;
  if (first && shard_.watchers >= kStreamsMax) {
    return Refuse(call, absl::ResourceExhaustedError("too many streams of health and reflection"));
  }
  if (call.kind == StreamKind::kReflection || call.kind == StreamKind::kReflectionAlpha) {
    const bool read = call.kind == StreamKind::kReflection
                          ? AppendReflection<grpc::reflection::v1::ServerReflectionRequest>(bytes, call.out)
                          : AppendReflection<grpc::reflection::v1alpha::ServerReflectionRequest>(bytes, call.out);
    return read ? SendAnswer(call) : Refuse(call, absl::InternalError("the request cannot be parsed"));
  }
  if (!first) return;
  HealthCheckRequest request;
  if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return Refuse(call, absl::InternalError("the request cannot be parsed"));
  }
  const bool known = HealthState::Knows(request.service());
  if (call.kind == StreamKind::kHealthCheck) {
    if (!known) return Refuse(call, absl::NotFoundError("unknown service"));
    AppendHealth(StatusOf(shard_.shared().health.phase()), call.out);
    return SendAnswer(call);
  }
  if (known) return Watch(call);
  call.written_status = HealthCheckResponse::SERVICE_UNKNOWN;
  AppendHealth(call.written_status, call.out);
  SendAnswer(call);
}

/// Writes the status if it is another than the last.
void Http2Connection::Watch(Http2Call& call) {
  const HealthState::Phase phase = shard_.shared().health.phase();
  if (phase == HealthState::Phase::kEnded) return Refuse(call, absl::UnavailableError("shutting down"));
  if (call.written_status == HealthCheckResponse::SERVICE_UNKNOWN) return;
  if (std::exchange(call.written_status, StatusOf(phase)) == StatusOf(phase)) return;
  AppendHealth(call.written_status, call.out);
  SendAnswer(call);
}

void Http2Connection::OnPhase() {
  const bool ended = shard_.shared().health.phase() == HealthState::Phase::kEnded;
  for (Http2Call* call = open_; call != nullptr; call = call->next) {
    if (call->complete || !call->responded) continue;
    if (call->kind == StreamKind::kHealthWatch) {
      Watch(*call);
    } else if (ended && call->kind != StreamKind::kUnary) {
      Refuse(*call, absl::UnavailableError("shutting down"));
    }
  }
}

}  // namespace sidecar
