#include "front/fronts.h"

#include <future>

#include "front/read_guard.h"

namespace sidecar {

absl::Status Fronts::Start(TlsIdentity* tls) {
  const CallBooks books{.metrics = rpc_metrics_, .tracer = parts_.tracer};
  if (plaintext_ == FrontKind::kNghttp2) {
    http2_ = std::make_unique<Http2Front>(
        Http2Shared{.handlers = parts_.handlers, .health = parts_.health, .limits = limits_, .books = books},
        parts_.threads);
    http2_->Start();
    if (tls == nullptr) return absl::OkStatus();
  }
  grpc_ = std::make_unique<GrpcFront>(parts_.handlers, parts_.health, parts_.threads, limits_, books);
  return grpc_->Start(tls);
}

void Fronts::Serve(int fd, std::string_view already_read) {
  if (http2_ != nullptr) return http2_->Serve(fd, already_read);
  grpc_->Serve(fd, already_read);
}

uint64_t Fronts::running() const {
  return (grpc_ == nullptr ? 0 : grpc_->running()) + (http2_ == nullptr ? 0 : http2_->running());
}

uint64_t Fronts::handled() const {
  return (grpc_ == nullptr ? 0 : grpc_->handled()) + (http2_ == nullptr ? 0 : http2_->handled());
}

uint64_t Fronts::floods() const { return ReadGuard::ended() + (http2_ == nullptr ? 0 : http2_->floods()); }

bool Fronts::Shutdown(MonoTime deadline) {
  std::future<bool> http2;
  if (http2_ != nullptr) http2 = std::async(std::launch::async, [&] { return http2_->Shutdown(deadline); });
  const bool grpc = grpc_ == nullptr || grpc_->Shutdown(deadline);
  return (!http2.valid() || http2.get()) && grpc;
}

}  // namespace sidecar
