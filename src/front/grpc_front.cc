#include "front/grpc_front.h"

#include <thread>
#include <utility>

namespace sidecar {

GrpcFront::GrpcFront(const Handlers& handlers, HealthState& health, size_t queues, const FrontLimits& limits,
                     Tracer* tracer)
    : handlers_(handlers),
      limits_(limits),
      health_(health),
      reflection_(health),
      queue_count_(queues),
      tracer_(tracer) {}

GrpcFront::~GrpcFront() {
  for (const auto& queue : queues_) queue->ShutDown();
}

absl::Status GrpcFront::Start(TlsIdentity* tls) {
  grpc::EnableDefaultHealthCheckService(false);
  grpc::ServerBuilder builder;
  builder.RegisterService(&sidecar_);
  builder.RegisterService(health_.service());
  reflection_.Register(builder);
  builder.SetMaxReceiveMessageSize(limits_.message_bytes_max);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, limits_.metadata_bytes_max);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, limits_.streams_per_connection_max);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             static_cast<int>(limits_.ping_interval_min.count()));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_TCP_MAX_READ_CHUNK_SIZE, limits_.read_bytes_max);
  for (size_t i = 0; i < queue_count_; ++i) {
    queues_.push_back(
        std::make_unique<CallQueue>(builder.AddCompletionQueue(), sidecar_, handlers_, rpc_metrics_, tracer_));
  }
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, static_cast<int>(limits_.handshake_max.count()));
  plaintext_ = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, grpc::InsecureServerCredentials());
  if (tls != nullptr) {
    tls_ = builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, tls->Credentials());
  }
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) return absl::UnavailableError("the gRPC server could not be started");
  health_.Serve(queues_[0]->queue());
  reflection_.Serve(queues_[0]->queue());
  for (size_t i = 0; i < queues_.size(); ++i) queues_[i]->Start(i);
  return absl::OkStatus();
}

void GrpcFront::Serve(int fd, std::string_view already_read) {
  grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
  connection.fd = fd;
  if (!already_read.empty()) {
    grpc::Slice slice(already_read.data(), already_read.size());
    connection.read_buffer = grpc::ByteBuffer(&slice, 1);
  }
  plaintext_->HandleNewConnection(&connection);
}

void GrpcFront::ServeTls(int fd) {
  grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
  connection.fd = fd;
  tls_->HandleNewConnection(&connection);
}

uint64_t GrpcFront::running() const {
  uint64_t sum = 0;
  for (const auto& queue : queues_) sum += queue->running();
  return sum;
}

uint64_t GrpcFront::handled() const {
  uint64_t sum = 0;
  for (const auto& queue : queues_) sum += queue->handled();
  return sum;
}

bool GrpcFront::Shutdown(MonoTime deadline) {
  if (server_ == nullptr) return true;
  const auto left = [&] { return deadline - std::chrono::time_point_cast<Millis>(std::chrono::steady_clock::now()); };
  server_->Shutdown(std::chrono::system_clock::now() + left());
  // The last calls have been answered, and their queues may not know it yet.
  constexpr Millis kLookEvery{1};
  while (running() > 0 && left() > Millis(0)) std::this_thread::sleep_for(kLookEvery);
  // The queues stay: operations that come back now may start another, and grpc++ ends the
  // process when one is started on a queue that was shut down.
  return left() > Millis(0);
}

}  // namespace sidecar
