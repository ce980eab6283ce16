// The floor: an empty server of the same contract on grpc++'s completion-queue API, written
// as its documentation shows. It parses the request and answers a constant metered
// entitlement. usage: floor_server QUEUES; prints "port N" and serves until it is killed.
#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

#include "stigg/sidecar/v1/sidecar.grpc.pb.h"

namespace {

namespace v1 = stigg::sidecar::v1;
using Service = v1::SidecarService::AsyncService;

v1::GetMeteredEntitlementResponse ConstantAnswer() {
  v1::GetMeteredEntitlementResponse answer;
  answer.set_has_access(true);
  answer.set_requested_usage(1);
  v1::MeteredEntitlement& metered = *answer.mutable_entitlement();
  metered.set_usage_limit(1000);
  metered.set_current_usage(420);
  metered.set_has_soft_limit(false);
  metered.set_reset_period(v1::ENTITLEMENT_RESET_PERIOD_MONTH);
  metered.mutable_usage_period_anchor()->set_seconds(1'767'225'600);
  metered.mutable_usage_period_start()->set_seconds(1'793'491'200);
  metered.mutable_usage_period_end()->set_seconds(1'796'083'200);
  v1::EntitlementFeature& feature = *metered.mutable_feature();
  feature.set_id("feature-07");
  feature.set_feature_type(v1::FEATURE_TYPE_NUMBER);
  feature.set_meter_type(v1::METER_TYPE_INCREMENTAL);
  feature.set_units("call");
  feature.set_units_plural("calls");
  feature.set_is_metered(true);
  return answer;
}

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
  builder.RegisterService(&service);
  std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues;
  for (int i = 0; i < queue_count; ++i) queues.push_back(builder.AddCompletionQueue());
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  const v1::GetMeteredEntitlementResponse answer = ConstantAnswer();
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
