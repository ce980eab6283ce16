// grpc.health.v1 on our own queues: the library's starts threads that nap (docs/adr/0001).
#pragma once

#include <grpcpp/grpcpp.h>

#include "front/health_state.h"
#include "grpc/health/v1/health.grpc.pb.h"

namespace sidecar {

/// Answers Check and Watch on one queue. Create it before the server starts, call Serve
/// after. At most kWatchersMax Watch streams at a time; more end RESOURCE_EXHAUSTED.
class HealthService {
 public:
  static constexpr size_t kWatchersMax = 1000;

  explicit HealthService(HealthState& state) : state_(state) {}

  grpc::Service* service() { return &service_; }
  void Serve(grpc::ServerCompletionQueue* queue);

 private:
  class CheckCall;
  class WatchCall;

  grpc::health::v1::HealthCheckResponse::ServingStatus Status() const;

  HealthState& state_;
  grpc::health::v1::Health::AsyncService service_;
  size_t watchers_ = 0;  // queue thread only
};

}  // namespace sidecar
