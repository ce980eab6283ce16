#include "front/grpc_front.h"

#include <algorithm>
#include <thread>
#include <utility>

namespace sidecar {

GrpcFront::GrpcFront(const Handlers& handlers, HealthState& health, size_t queues, const FrontLimits& limits,
                     const CallBooks& books)
    : handlers_(handlers), limits_(limits), health_(health), reflection_(health), queue_count_(queues), books_(books) {}

GrpcFront::~GrpcFront() {
  plaintext_connections_.reset();
  tls_connections_.reset();
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
    queues_.push_back(std::make_unique<CallQueue>(builder.AddCompletionQueue(), sidecar_, handlers_, books_));
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
  const auto give = [](grpc::experimental::ExternalConnectionAcceptor& acceptor) {
    return [&acceptor](int fd, std::string_view already_read) {
      grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
      connection.fd = fd;
      if (!already_read.empty()) {
        grpc::Slice slice(already_read.data(), already_read.size());
        connection.read_buffer = grpc::ByteBuffer(&slice, 1);
      }
      acceptor.HandleNewConnection(&connection);
    };
  };
  plaintext_connections_ = std::make_unique<HandOver>(give(*plaintext_));
  if (tls_ != nullptr) tls_connections_ = std::make_unique<HandOver>(give(*tls_));
  health_.Serve(queues_[0]->queue());
  reflection_.Serve(queues_[0]->queue());
  for (size_t i = 0; i < queues_.size(); ++i) queues_[i]->Start(i);
  return absl::OkStatus();
}

void GrpcFront::Serve(int fd, std::string_view already_read) { plaintext_connections_->Give(fd, already_read); }

void GrpcFront::ServeTls(int fd) { tls_connections_->Give(fd, ""); }

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
  // Whom the listeners accepted before they were closed is a client like others.
  constexpr Millis kHandedOverWithin{500};
  for (HandOver* connections : {plaintext_connections_.get(), tls_connections_.get()}) {
    if (connections != nullptr) connections->Flush(std::clamp(left(), Millis(0), kHandedOverWithin));
  }
  server_->Shutdown(std::chrono::system_clock::now() + left());
  // The last calls have been answered, and their queues may not know it yet.
  constexpr Millis kLookEvery{1};
  while (running() > 0 && left() > Millis(0)) std::this_thread::sleep_for(kLookEvery);
  // The queues stay: operations that come back now may start another, and grpc++ ends the
  // process when one is started on a queue that was shut down.
  return left() > Millis(0);
}

}  // namespace sidecar
