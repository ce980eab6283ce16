// Server reflection, v1 and v1alpha, on our own queues (docs/adr/0005).
#pragma once

#include <grpcpp/grpcpp.h>

#include "front/health_state.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"

namespace sidecar {

/// Describes the services compiled into the binary. Create it before the server starts, call
/// Serve after. At most kStreamsMax streams at a time; more end RESOURCE_EXHAUSTED.
class ReflectionService {
 public:
  static constexpr size_t kStreamsMax = 100;

  explicit ReflectionService(HealthState& health) : health_(health) {}

  void Register(grpc::ServerBuilder& builder);
  void Serve(grpc::ServerCompletionQueue* queue);

 private:
  template <typename Version>
  class Stream;

  HealthState& health_;
  grpc::reflection::v1::ServerReflection::AsyncService v1_;
  grpc::reflection::v1alpha::ServerReflection::AsyncService v1alpha_;
  size_t streams_ = 0;  // queue thread only
};

}  // namespace sidecar
