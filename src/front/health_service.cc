#include "front/health_service.h"

#include <grpcpp/alarm.h>

#include "front/function_tag.h"

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

/// One Watch stream: writes the status, then again whenever it changes, until the client
/// leaves. Deleted when every operation it started has come back.
class HealthService::WatchCall {
 public:
  WatchCall(HealthService& owner, grpc::ServerCompletionQueue* queue) : owner_(owner), queue_(queue) {
    context_.AsyncNotifyWhenDone(left_.tag());
    owner_.service_.RequestWatch(&context_, &request_, &writer_, queue_, queue_, arrived_.tag());
  }

 private:
  void OnArrived(bool ok) {
    if (!ok) return delete this;  // without a call, there is no notice of its end either
    new WatchCall(owner_, queue_);
    pending_ = 1;  // left_
    counted_ = true;
    if (++owner_.watchers_ > kWatchersMax) {
      return End({grpc::StatusCode::RESOURCE_EXHAUSTED, "too many health watchers"});
    }
    Listen();
    Say();
  }

  /// Waits for a change: HealthState rings the alarm, from any thread.
  void Listen() {
    ++pending_;
    const auto never = std::chrono::system_clock::time_point::max();
    alarm_.Set(queue_, never, changed_.tag());
    token_ = owner_.state_.Subscribe([this] { alarm_.Cancel(); });
  }

  void StopListening() {
    if (token_ == 0) return;
    owner_.state_.Forget(token_);
    token_ = 0;
    alarm_.Cancel();
  }

  HealthCheckResponse::ServingStatus Current() const {
    if (!HealthState::Knows(request_.service())) return HealthCheckResponse::SERVICE_UNKNOWN;
    return owner_.Status();
  }

  /// Says what changed, or that this was all.
  void Say() {
    if (owner_.state_.phase() == HealthState::Phase::kEnded) {
      return End({grpc::StatusCode::UNAVAILABLE, "shutting down"});
    }
    if (writing_ || ending_ || Current() == written_) return;
    writing_ = true;
    written_ = Current();
    HealthCheckResponse response;
    response.set_status(written_);
    ++pending_;
    writer_.Write(response, wrote_.tag());
  }

  void OnChanged() {
    --pending_;
    if (token_ != 0) {  // rung, not silenced: listen again before looking
      owner_.state_.Forget(token_);
      token_ = 0;
      if (!ending_) Listen();
    }
    Say();
    DeleteIfDone();
  }

  void OnWrote(bool ok) {
    --pending_;
    writing_ = false;
    if (ending_) {
      Finish();
    } else if (ok) {
      Say();
    }
    DeleteIfDone();
  }

  void OnLeft() {
    --pending_;
    End(grpc::Status::CANCELLED);
    DeleteIfDone();
  }

  void End(const grpc::Status& status) {
    if (ending_) return;
    ending_ = true;
    end_status_ = status;
    StopListening();
    if (!writing_) Finish();  // else when the write has come back
  }

  void Finish() {
    ++pending_;
    writer_.Finish(end_status_, finished_.tag());
  }

  void OnFinished() {
    --pending_;
    DeleteIfDone();
  }

  void DeleteIfDone() {
    if (pending_ > 0) return;
    if (counted_) --owner_.watchers_;
    delete this;
  }

  HealthService& owner_;
  grpc::ServerCompletionQueue* const queue_;
  grpc::ServerContext context_;
  HealthCheckRequest request_;
  grpc::ServerAsyncWriter<HealthCheckResponse> writer_{&context_};
  grpc::Alarm alarm_;
  uint64_t token_ = 0;
  int pending_ = 0;  // operations that will still come back
  bool counted_ = false;
  bool writing_ = false;
  bool ending_ = false;
  grpc::Status end_status_;
  HealthCheckResponse::ServingStatus written_ = HealthCheckResponse::UNKNOWN;
  FunctionTag arrived_{[this](bool ok) { OnArrived(ok); }};
  FunctionTag changed_{[this](bool) { OnChanged(); }};
  FunctionTag wrote_{[this](bool ok) { OnWrote(ok); }};
  FunctionTag left_{[this](bool) { OnLeft(); }};
  FunctionTag finished_{[this](bool) { OnFinished(); }};
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
