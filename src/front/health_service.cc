#include "front/health_service.h"

#include "front/function_tag.h"
#include "front/owned_stream.h"

namespace sidecar {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

class HealthService::CheckCall {
 public:
  CheckCall(HealthService& owner, grpc::ServerCompletionQueue* queue) : owner_(owner), queue_(queue) {
    owner_.service_.RequestCheck(&context_, &request_, &responder_, queue_, queue_, arrived_.tag());
  }

 private:
  void OnArrived(bool ok) {
    if (!ok) return delete this;
    new CheckCall(owner_, queue_);
    if (!HealthState::Knows(request_.service())) {
      return responder_.FinishWithError({grpc::StatusCode::NOT_FOUND, "unknown service"}, ended_.tag());
    }
    HealthCheckResponse response;
    response.set_status(owner_.Status());
    responder_.Finish(response, grpc::Status::OK, ended_.tag());
  }

  HealthService& owner_;
  grpc::ServerCompletionQueue* const queue_;
  grpc::ServerContext context_;
  HealthCheckRequest request_;
  grpc::ServerAsyncResponseWriter<HealthCheckResponse> responder_{&context_};
  FunctionTag arrived_{[this](bool ok) { OnArrived(ok); }};
  FunctionTag ended_{[this](bool) { delete this; }};
};

/// One Watch stream: writes the status, then again whenever it changes, until the client leaves.
class HealthService::WatchCall final : public OwnedStream {
 public:
  WatchCall(HealthService& owner, grpc::ServerCompletionQueue* queue)
      : OwnedStream(owner.state_, queue, owner.watchers_), owner_(owner) {
    context_.AsyncNotifyWhenDone(left_.tag());
    owner_.service_.RequestWatch(&context_, &request_, &writer_, queue, queue, arrived_.Start());
  }

 private:
  void OnArrived(bool ok) {
    if (!ok) return;  // without a call, there is no notice of its end either
    new WatchCall(owner_, queue());
    left_.Expect();
    if (Admit(kWatchersMax, "too many health watchers")) OnPhase();
  }

  HealthCheckResponse::ServingStatus Current() const {
    if (!HealthState::Knows(request_.service())) return HealthCheckResponse::SERVICE_UNKNOWN;
    return owner_.Status();
  }

  void OnPhase() override {
    if (EndWithDaemon() || writing() || ending() || Current() == written_) return;
    written_ = Current();
    HealthCheckResponse response;
    response.set_status(written_);
    writer_.Write(response, StartWrite());
  }

  void OnWrote(bool ok) override {
    if (ok) OnPhase();
  }

  void SendEnd(const grpc::Status& status, void* tag) override { writer_.Finish(status, tag); }

  HealthService& owner_;
  grpc::ServerContext context_;
  HealthCheckRequest request_;
  grpc::ServerAsyncWriter<HealthCheckResponse> writer_{&context_};
  HealthCheckResponse::ServingStatus written_ = HealthCheckResponse::UNKNOWN;
  Operation arrived_{*this, [this](bool ok) { OnArrived(ok); }};
  Operation left_{*this, [this](bool) { End(grpc::Status::CANCELLED); }};
};

HealthCheckResponse::ServingStatus HealthService::Status() const {
  return state_.phase() == HealthState::Phase::kServing ? HealthCheckResponse::SERVING
                                                        : HealthCheckResponse::NOT_SERVING;
}

void HealthService::Serve(grpc::ServerCompletionQueue* queue) {
  new CheckCall(*this, queue);
  new WatchCall(*this, queue);
}

}  // namespace sidecar
