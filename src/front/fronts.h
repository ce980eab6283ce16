// The fronts of one daemon: which connection goes where.
#pragma once

#include <array>
#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "front/call_account.h"
#include "front/front_limits.h"
#include "front/grpc_front.h"
#include "front/http2/http2_front.h"

namespace sidecar {

enum class FrontKind {
  kGrpc,     ///< grpc++
  kNghttp2,  ///< our own, for plaintext; grpc++ where there is TLS
};

/// grpc++, our own, or both. Thread-safe once started.
class Fronts {
 public:
  struct Parts {
    const Handlers& handlers;
    HealthState& health;
    size_t threads;  ///< of each front
    Tracer* tracer;  ///< nullptr: spans are not recorded
  };

  Fronts(const Parts& parts, FrontKind plaintext) : parts_(parts), plaintext_(plaintext) {}

  /// `tls`: nullptr when there is none. UNAVAILABLE when grpc++ cannot build its server.
  absl::Status Start(TlsIdentity* tls);

  void Serve(int fd, std::string_view already_read);
  void ServeTls(int fd) { grpc_->ServeTls(fd); }

  uint64_t running() const;
  uint64_t handled() const;
  /// Connections closed for flooding.
  uint64_t floods() const;
  /// Of calls that reached a handler; by Method.
  const std::array<RpcMetrics, kMethodCount>& rpc_metrics() const { return rpc_metrics_; }

  /// Refuses new calls, lets running ones finish until `deadline`. True when none had to be cut off.
  bool Shutdown(MonoTime deadline);

 private:
  const Parts parts_;
  const FrontKind plaintext_;
  const FrontLimits limits_;
  std::array<RpcMetrics, kMethodCount> rpc_metrics_;
  std::unique_ptr<GrpcFront> grpc_;
  std::unique_ptr<Http2Front> http2_;
};

}  // namespace sidecar
