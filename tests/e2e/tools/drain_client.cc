// Calls a sidecar while it drains, as two kinds of client: one follows health and moves to
// another sidecar when it turns NOT_SERVING, one goes on calling and repeats once, elsewhere,
// what failed. Usage: drain_client TARGET OTHER CALLS_PER_SECOND. Prints "calling", goes on
// until standard input ends, then prints one line of JSON.
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "grpc/health/v1/health.grpc.pb.h"
#include "stigg/sidecar/v1/sidecar.grpc.pb.h"

namespace {

namespace v1 = stigg::sidecar::v1;
namespace health = grpc::health::v1;

std::shared_ptr<grpc::Channel> Connect(const std::string& target) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection of its own
  return grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments);
}

class Caller {
 public:
  Caller(const std::string& target, const std::string& other)
      : follower_channel_(Connect(target)),
        follower_(v1::SidecarService::NewStub(follower_channel_)),
        stubborn_(v1::SidecarService::NewStub(Connect(target))),
        other_(v1::SidecarService::NewStub(Connect(other))) {
    request_.set_customer_id("c");
    request_.set_feature_id("flag");
  }

  /// Until the service is not to be called any more.
  void FollowHealth() {
    grpc::ClientContext context;
    const auto reader = health::Health::NewStub(follower_channel_)->Watch(&context, {});
    health::HealthCheckResponse response;
    while (reader->Read(&response) && response.status() == health::HealthCheckResponse::SERVING) {
    }
    moved_ = true;
    context.TryCancel();
    reader->Finish();
  }

  void CallAsFollower() {
    const bool moved = moved_;
    Call(moved ? *other_ : *follower_, [this, moved](const grpc::Status& status) {
      if (!status.ok()) return Count("follower_failures");
      Count(moved ? "moved_ok" : "first_ok");
    });
  }

  void CallAsStubborn() {
    Call(*stubborn_, [this](const grpc::Status& status) {
      if (status.ok()) return Count("first_ok");
      const bool expected =
          status.error_code() == grpc::StatusCode::UNAVAILABLE || status.error_code() == grpc::StatusCode::CANCELLED;
      Count(expected ? "turned_away" : "other_failures");
      Call(*other_, [this](const grpc::Status& again) { Count(again.ok() ? "repeated_ok" : "repeated_failures"); });
    });
  }

  void Print() {
    while (pending_ > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const std::lock_guard lock(mutex_);
    std::string json;
    for (const char* name : {"first_ok", "moved_ok", "follower_failures", "turned_away", "other_failures",
                             "repeated_ok", "repeated_failures"}) {
      json += std::string(json.empty() ? "{" : ", ") + '"' + name + "\": " + std::to_string(counts_[name]);
    }
    std::puts((json + "}").c_str());
  }

 private:
  template <typename Done>
  void Call(v1::SidecarService::Stub& stub, Done done) {
    struct State {
      grpc::ClientContext context;
      v1::GetBooleanEntitlementResponse response;
    };
    ++pending_;
    auto state = std::make_shared<State>();
    state->context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    stub.async()->GetBooleanEntitlement(&state->context, &request_, &state->response,
                                        [this, state, done](const grpc::Status& status) {
                                          done(status);
                                          --pending_;
                                        });
  }

  void Count(const char* name) {
    const std::lock_guard lock(mutex_);
    ++counts_[name];
  }

  const std::shared_ptr<grpc::Channel> follower_channel_;
  const std::unique_ptr<v1::SidecarService::Stub> follower_;
  const std::unique_ptr<v1::SidecarService::Stub> stubborn_;
  const std::unique_ptr<v1::SidecarService::Stub> other_;
  v1::GetBooleanEntitlementRequest request_;
  std::atomic<bool> moved_{false};
  std::atomic<int> pending_{0};
  std::mutex mutex_;
  std::map<std::string, uint64_t> counts_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fputs("usage: drain_client TARGET OTHER CALLS_PER_SECOND\n", stderr);
    return 64;
  }
  Caller caller(argv[1], argv[2]);
  const auto gap = std::chrono::nanoseconds(std::chrono::seconds(2)) / std::atoi(argv[3]);  // two calls at a time
  std::thread health([&] { caller.FollowHealth(); });
  std::atomic<bool> stop{false};
  std::thread input([&] {
    while (std::getchar() != EOF) {
    }
    stop = true;
  });
  std::puts("calling");
  std::fflush(stdout);
  for (auto next = std::chrono::steady_clock::now(); !stop; next += gap) {
    std::this_thread::sleep_until(next);
    caller.CallAsFollower();
    caller.CallAsStubborn();
  }
  input.join();
  health.join();
  caller.Print();
}
