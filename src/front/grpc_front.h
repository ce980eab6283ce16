// The gRPC front: a grpc++ server on completion queues, fed with connections that our own
// listeners accepted.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "domain/time.h"
#include "front/call_account.h"
#include "front/call_queue.h"
#include "front/front_limits.h"
#include "front/hand_over.h"
#include "front/health_service.h"
#include "front/health_state.h"
#include "front/raw_service.h"
#include "front/reflection_service.h"
#include "front/tls_identity.h"
#include "service/services.h"

namespace sidecar {

class GrpcFront {
 public:
  /// `handlers` and what `books` names must outlive the front.
  GrpcFront(const Handlers& handlers, HealthState& health, size_t queues, const FrontLimits& limits,
            const CallBooks& books);
  /// Ends the queues. No call may be under way: a process that cannot say so ends without
  /// destroying its front (docs/adr/0010).
  ~GrpcFront();

  /// Starts the queues. UNAVAILABLE when grpc++ cannot build the server. `tls`: nullptr when
  /// there is no TLS; must outlive the front.
  absl::Status Start(TlsIdentity* tls = nullptr);

  /// Takes over a connected plaintext socket of which `already_read` was read. Any thread.
  void Serve(int fd, std::string_view already_read);

  /// Takes over a connected socket on which a TLS handshake is due. Any thread.
  void ServeTls(int fd);

  /// Calls being answered now.
  uint64_t running() const;
  /// Calls that reached a handler, from the start.
  uint64_t handled() const;

  /// Refuses new calls, lets running ones finish until `deadline`, then cancels them. True
  /// when none had to be cancelled.
  bool Shutdown(MonoTime deadline);

 private:
  const Handlers& handlers_;
  const FrontLimits limits_;
  RawSidecarService sidecar_;
  HealthService health_;
  ReflectionService reflection_;
  std::vector<std::unique_ptr<CallQueue>> queues_;
  size_t queue_count_;
  const CallBooks books_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> plaintext_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> tls_;
  std::unique_ptr<HandOver> plaintext_connections_;
  std::unique_ptr<HandOver> tls_connections_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace sidecar
