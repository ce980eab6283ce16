#include <grpc/support/time.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include "absl/synchronization/mutex.h"
#include "shadow/shadow_target.h"
#include "text/text.h"

namespace sidecar {
namespace {

// Of the target's return: it is found soon.
constexpr int kReconnectMinMs = 100;
constexpr int kReconnectMaxMs = 1'000;
constexpr int kConnectTimeoutMs = 5'000;  // what gRPC calls the shortest pause is the time for one attempt

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& target) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectTimeoutMs);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMinMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMaxMs);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments);
}

class GrpcTarget : public ShadowTarget {
 public:
  explicit GrpcTarget(const std::string& target) : stub_(MakeChannel(target)) {}

  absl::StatusOr<std::string> Ask(Method method, std::string_view request, Millis timeout) override {
    grpc::ClientContext context;
    context.set_deadline(
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(timeout.count(), GPR_TIMESPAN)));
    context.AddMetadata(std::string(kCopyMark), "1");
    {
      absl::MutexLock lock(&mu_);
      if (cancelled_) return absl::CancelledError("at the end");
      under_way_ = &context;
    }
    const grpc::Slice bytes(request.data(), request.size());
    const grpc::ByteBuffer message(&bytes, 1);
    grpc::CompletionQueue queue;
    grpc::ByteBuffer answer;
    grpc::Status status;
    const std::string path = StrCat("/", kServiceName, "/", Name(method));
    const auto call = stub_.PrepareUnaryCall(&context, path, message, &queue);
    call->StartCall();
    call->Finish(&answer, &status, this);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    {
      absl::MutexLock lock(&mu_);
      under_way_ = nullptr;
    }
    queue.Shutdown();
    if (!status.ok()) return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
    grpc::Slice whole;
    if (!answer.DumpToSingleSlice(&whole).ok()) return "";  // an empty message has no slices
    return std::string(reinterpret_cast<const char*>(whole.begin()), whole.size());
  }

  void Cancel() override {
    absl::MutexLock lock(&mu_);
    cancelled_ = true;
    if (under_way_ != nullptr) under_way_->TryCancel();
  }

 private:
  grpc::GenericStub stub_;
  absl::Mutex mu_;
  grpc::ClientContext* under_way_ ABSL_GUARDED_BY(mu_) = nullptr;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace

std::unique_ptr<ShadowTarget> ConnectShadow(const std::string& target) { return std::make_unique<GrpcTarget>(target); }

}  // namespace sidecar
