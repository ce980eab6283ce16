// What a call of the C++ client library costs beside the same call of the raw generated stub: CPU of this process, user
// and system, alternating between the two in one run. Usage: sdk_calls HOST PORT ROUNDS CALLS. Prints one line of JSON.
#include <grpcpp/grpcpp.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "stigg/sidecar/client.h"
#include "stigg/sidecar/v1/sidecar.grpc.pb.h"

namespace {

namespace v1 = stigg::sidecar::v1;

constexpr char kCustomer[] = "customer-0000001";
constexpr char kFeature[] = "feature-01";
constexpr int kInFlight = 16;

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void Require(bool ok) {
  if (ok) return;
  std::fprintf(stderr, "a call failed\n");
  std::exit(1);
}

/// Of `calls` calls, one after the other.
double Sequential(int calls, const std::function<void()>& call) {
  const double before = CpuSeconds();
  for (int i = 0; i < calls; ++i) call();
  return (CpuSeconds() - before) / calls * 1e6;
}

/// Of `calls` calls, so many under way at a time. `start` begins one and calls its argument at the end.
double Concurrent(int calls, const std::function<void(std::function<void()>)>& start) {
  const double before = CpuSeconds();
  std::atomic<int> left{calls};
  absl::BlockingCounter chains(kInFlight);
  std::function<void()> next = [&] {
    if (left.fetch_sub(1) > 0) return start(next);
    chains.DecrementCount();
  };
  for (int i = 0; i < kInFlight; ++i) next();
  chains.Wait();
  return (CpuSeconds() - before) / calls * 1e6;
}

v1::GetMeteredEntitlementRequest Request() {
  v1::GetMeteredEntitlementRequest request;
  request.set_customer_id(kCustomer);
  request.set_feature_id(kFeature);
  request.mutable_options()->set_requested_usage(1);
  return request;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: sdk_calls HOST PORT ROUNDS CALLS\n");
    return 2;
  }
  const std::string host = argv[1];
  const int port = std::atoi(argv[2]);
  const int rounds = std::atoi(argv[3]);
  const int calls = std::atoi(argv[4]);

  const auto stub =
      v1::SidecarService::NewStub(grpc::CreateChannel(host + ":" + argv[2], grpc::InsecureChannelCredentials()));
  auto client = stigg::sidecar::Client::Create({.host = host, .port = port});
  Require(client.ok());
  const stigg::sidecar::MeteredCheck check{.customer_id = kCustomer, .feature_id = kFeature, .requested_usage = 1};
  const auto deadline = [] { return std::chrono::system_clock::now() + std::chrono::seconds(1); };

  const auto raw = [&] {
    grpc::ClientContext context;
    context.set_deadline(deadline());
    v1::GetMeteredEntitlementResponse response;
    Require(stub->GetMeteredEntitlement(&context, Request(), &response).ok() && response.has_access());
  };
  const auto sdk = [&] {
    const auto answer = (*client)->GetMeteredEntitlement(check);
    Require(answer.ok() && answer->has_access);
  };
  struct Call {
    grpc::ClientContext context;
    v1::GetMeteredEntitlementRequest request = Request();
    v1::GetMeteredEntitlementResponse response;
  };
  const auto raw_async = [&](std::function<void()> done) {
    auto* const call = new Call;
    call->context.set_deadline(deadline());
    stub->async()->GetMeteredEntitlement(&call->context, &call->request, &call->response,
                                         [call, done = std::move(done)](const grpc::Status& status) {
                                           Require(status.ok() && call->response.has_access());
                                           delete call;
                                           done();
                                         });
  };
  const auto sdk_async = [&](std::function<void()> done) {
    (*client)->GetMeteredEntitlementAsync(check, {}, [done = std::move(done)](const auto& answer) {
      Require(answer.ok() && answer->has_access);
      done();
    });
  };
  Sequential(500, raw);
  Sequential(500, sdk);

  std::map<std::string, std::vector<double>> costs;
  for (int round = 0; round < rounds; ++round) {
    costs["raw"].push_back(Sequential(calls, raw));
    costs["sdk"].push_back(Sequential(calls, sdk));
    costs["raw_async"].push_back(Concurrent(calls, raw_async));
    costs["sdk_async"].push_back(Concurrent(calls, sdk_async));
  }
  const auto ratio = [&](const std::string& of) {
    std::vector<double> each;
    for (int round = 0; round < rounds; ++round) {
      const auto place = static_cast<size_t>(round);
      each.push_back(costs["sdk" + of][place] / costs["raw" + of][place]);
    }
    return Median(std::move(each));
  };
  std::printf(R"({"raw":%.2f,"sdk":%.2f,"ratio":%.3f,"raw_async":%.2f,"sdk_async":%.2f,"ratio_async":%.3f})"
              "\n",
              Median(costs["raw"]), Median(costs["sdk"]), ratio(""), Median(costs["raw_async"]),
              Median(costs["sdk_async"]), ratio("_async"));
  return 0;
}
