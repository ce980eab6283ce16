#include "front/reflection_service.h"

#include "front/owned_stream.h"
#include "front/reflection_answers.h"

namespace sidecar {
namespace {

struct V1 {
  using Service = grpc::reflection::v1::ServerReflection::AsyncService;
  using Request = grpc::reflection::v1::ServerReflectionRequest;
  using Response = grpc::reflection::v1::ServerReflectionResponse;
};

struct V1Alpha {
  using Service = grpc::reflection::v1alpha::ServerReflection::AsyncService;
  using Request = grpc::reflection::v1alpha::ServerReflectionRequest;
  using Response = grpc::reflection::v1alpha::ServerReflectionResponse;
};

}  // namespace

/// One stream: reads a question, writes its answer, until the client has no more or the server
/// ends.
template <typename Version>
class ReflectionService::Stream final : public OwnedStream {
 public:
  Stream(ReflectionService& owner, typename Version::Service& service, grpc::ServerCompletionQueue* queue)
      : OwnedStream(owner.health_, queue, owner.streams_), owner_(owner), service_(service) {
    service_.RequestServerReflectionInfo(&context_, &stream_, queue, queue, arrived_.Start());
  }

 private:
  void OnArrived(bool ok) {
    if (!ok) return;
    new Stream(owner_, service_, queue());
    if (!Admit(kStreamsMax, "too many reflection streams") || EndWithDaemon()) return;
    Read();
  }

  void Read() { stream_.Read(&request_, read_.Start()); }

  void OnRead(bool ok) {
    if (!ok) return End(grpc::Status::OK);
    if (!ending()) stream_.Write(AnswerReflection(request_), StartWrite());
  }

  void OnWrote(bool ok) override {
    if (!ok) return End(grpc::Status::CANCELLED);
    Read();
  }

  void OnPhase() override { EndWithDaemon(); }

  void SendEnd(const grpc::Status& status, void* tag) override { stream_.Finish(status, tag); }

  ReflectionService& owner_;
  typename Version::Service& service_;
  grpc::ServerContext context_;
  grpc::ServerAsyncReaderWriter<typename Version::Response, typename Version::Request> stream_{&context_};
  typename Version::Request request_;
  Operation arrived_{*this, [this](bool ok) { OnArrived(ok); }};
  Operation read_{*this, [this](bool ok) { OnRead(ok); }};
};

void ReflectionService::Register(grpc::ServerBuilder& builder) {
  builder.RegisterService(&v1_);
  builder.RegisterService(&v1alpha_);
}

void ReflectionService::Serve(grpc::ServerCompletionQueue* queue) {
  new Stream<V1>(*this, v1_, queue);
  new Stream<V1Alpha>(*this, v1alpha_, queue);
}

}  // namespace sidecar
