// The floor: an empty server of the same contract on grpc++'s completion-queue API, written
// as its documentation shows. It parses the request and answers a constant metered
// entitlement. usage: floor_server QUEUES [SOCKET]; prints "port N" and serves until it is killed, on a
// unix socket too if one is named.
#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bench/constant_answer.h"
#include "stigg/sidecar/v1/sidecar.grpc.pb.h"

namespace {

namespace v1 = stigg::sidecar::v1;
using Service = v1::SidecarService::AsyncService;

class Call {
 public:
  Call(Service& service, grpc::ServerCompletionQueue* queue, const v1::GetMeteredEntitlementResponse& answer)
      : service_(service), queue_(queue), answer_(answer) {
    service_.RequestGetMeteredEntitlement(&context_, &request_, &responder_, queue_, queue_, this);
  }

  void Proceed(bool ok) {
    if (finished_ || !ok) return delete this;
    new Call(service_, queue_, answer_);
    finished_ = true;
    responder_.Finish(answer_, grpc::Status::OK, this);
  }

 private:
  Service& service_;
  grpc::ServerCompletionQueue* const queue_;
  const v1::GetMeteredEntitlementResponse& answer_;
  grpc::ServerContext context_;
  v1::GetMeteredEntitlementRequest request_;
  grpc::ServerAsyncResponseWriter<v1::GetMeteredEntitlementResponse> responder_{&context_};
  bool finished_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  const int queue_count = argc > 1 ? std::atoi(argv[1]) : 1;
  Service service;
  grpc::EnableDefaultHealthCheckService(false);
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  if (argc > 2) builder.AddListeningPort(std::string("unix:") + argv[2], grpc::InsecureServerCredentials());
  builder.RegisterService(&service);
  std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues;
  for (int i = 0; i < queue_count; ++i) queues.push_back(builder.AddCompletionQueue());
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  const v1::GetMeteredEntitlementResponse answer = sidecar::bench::ConstantAnswer();
  std::vector<std::thread> threads;
  for (const auto& queue : queues) {
    for (int i = 0; i < 8; ++i) new Call(service, queue.get(), answer);
    threads.emplace_back([&queue] {
      void* tag = nullptr;
      bool ok = false;
      while (queue->Next(&tag, &ok)) static_cast<Call*>(tag)->Proceed(ok);
    });
  }
  std::printf("port %d\n", port);
  std::fflush(stdout);
  for (std::thread& thread : threads) thread.join();
}
