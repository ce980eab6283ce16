// The other sidecar as it really is: a gRPC server in this process.
#include <gmock/gmock.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "shadow/shadow.h"
#include "stigg/sidecar/v1/sidecar.pb.h"
#include "support/fake_call.h"
#include "support/sim_clock.h"

namespace sidecar {
namespace {

namespace v1 = stigg::sidecar::v1;
using testing::FakeCall;
using testing::SimTime;
using ::testing::SizeIs;

constexpr Millis kLongest{30'000};

/// Answers every method with what `answer` says, as bytes.
class Other : public grpc::CallbackGenericService {
 public:
  using Answer = std::function<grpc::Status(const std::string& method, const std::string& request, std::string& out)>;

  explicit Other(Answer answer, const std::string& address = "127.0.0.1:0") : answer_(std::move(answer)) {
    grpc::ServerBuilder builder;
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port_);
    builder.RegisterCallbackGenericService(this);
    server_ = builder.BuildAndStart();
  }
  ~Other() override { Stop(); }

  void Stop() {
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
    server_.reset();
  }
  bool started() const { return server_ != nullptr; }
  std::string target() const { return "127.0.0.1:" + std::to_string(port_); }
  std::string mark() {
    absl::MutexLock lock(&mu_);
    return mark_;
  }

 private:
  class Reactor : public grpc::ServerGenericBidiReactor {
   public:
    Reactor(Other& other, std::string method) : other_(other), method_(std::move(method)) { StartRead(&read_); }
    void OnReadDone(bool ok) override {
      if (!ok) return Finish(grpc::Status::CANCELLED);
      std::vector<grpc::Slice> slices;
      read_.Dump(&slices);
      std::string request;
      for (const grpc::Slice& slice : slices) {
        request.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
      }
      std::string out;
      const grpc::Status status = other_.answer_(method_, request, out);
      if (!status.ok()) return Finish(status);
      const grpc::Slice slice(out);
      written_ = grpc::ByteBuffer(&slice, 1);
      StartWriteAndFinish(&written_, {}, status);
    }
    void OnDone() override { delete this; }

   private:
    Other& other_;
    const std::string method_;
    grpc::ByteBuffer read_;
    grpc::ByteBuffer written_;
  };

  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override {
    const auto mark = context->client_metadata().find("x-shadow-copy");
    if (mark != context->client_metadata().end()) {
      absl::MutexLock lock(&mu_);
      mark_ = std::string(mark->second.data(), mark->second.size());
    }
    return new Reactor(*this, context->method());
  }

  const Answer answer_;
  int port_ = 0;
  absl::Mutex mu_;
  std::string mark_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<grpc::Server> server_;
};

grpc::Status Echo(const std::string&, const std::string& request, std::string& out) {
  out = request;
  return grpc::Status::OK;
}

absl::StatusOr<std::string> Ask(ShadowTarget& target, std::string_view request = "request") {
  return target.Ask(Method::kGetBooleanEntitlement, request, kLongest);
}

TEST(GrpcTargetTest, AsksTheMethodWithTheBytesAndTheMark) {
  std::string asked;  // of the one call, that has ended when it is read
  Other other([&](const std::string& method, const std::string& request, std::string& out) {
    asked = method;
    return Echo(method, request, out);
  });
  const auto target = ConnectShadow(other.target());
  const absl::StatusOr<std::string> answer = Ask(*target, std::string(100'000, 'x'));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(*answer, std::string(100'000, 'x'));
  EXPECT_EQ(asked, "/stigg.sidecar.v1.SidecarService/GetBooleanEntitlement");
  EXPECT_EQ(other.mark(), "1");
}

TEST(GrpcTargetTest, AnEmptyMessageIsAnAnswer) {
  Other other(Echo);
  const auto target = ConnectShadow(other.target());
  const absl::StatusOr<std::string> answer = Ask(*target, "");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(*answer, "");
}

TEST(GrpcTargetTest, HandsOnAStatus) {
  Other other([](const std::string&, const std::string&, std::string&) {
    return grpc::Status(grpc::StatusCode::NOT_FOUND, "nobody");
  });
  EXPECT_EQ(Ask(*ConnectShadow(other.target())).status(), absl::NotFoundError("nobody"));
}

TEST(GrpcTargetTest, SpeaksOverASocket) {
  const std::string path = "unix:" + ::testing::TempDir() + "shadow." + std::to_string(getpid());
  Other other(Echo, path);
  ASSERT_TRUE(other.started());
  const absl::StatusOr<std::string> answer = Ask(*ConnectShadow(path));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(*answer, "request");
}

TEST(GrpcTargetTest, WaitsNoLongerThanItMay) {
  absl::Notification end;
  Other other([&](const std::string& method, const std::string& request, std::string& out) {
    end.WaitForNotification();
    return Echo(method, request, out);
  });
  const auto target = ConnectShadow(other.target());
  EXPECT_EQ(target->Ask(Method::kGetEntitlements, "request", Millis(50)).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  end.Notify();
}

TEST(GrpcTargetTest, CancelEndsTheCallUnderWayAndLaterOnes) {
  absl::Notification asked;
  absl::Notification end;
  Other other([&](const std::string& method, const std::string& request, std::string& out) {
    asked.Notify();
    end.WaitForNotification();
    return Echo(method, request, out);
  });
  const auto target = ConnectShadow(other.target());
  absl::Status status;
  std::thread asking([&] { status = Ask(*target).status(); });
  asked.WaitForNotification();
  target->Cancel();
  asking.join();  // and not after kLongest
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(Ask(*target).status().code(), absl::StatusCode::kCancelled);
  end.Notify();
}

TEST(GrpcTargetTest, OneThatIsGoneIsUnavailableUntilItIsBack) {
  auto other = std::make_unique<Other>(Echo);
  const std::string address = other->target();
  const auto target = ConnectShadow(address);
  ASSERT_TRUE(Ask(*target).ok());
  other.reset();
  EXPECT_EQ(Ask(*target).status().code(), absl::StatusCode::kUnavailable);
  Other back(Echo, address);
  ASSERT_TRUE(back.started());
  const absl::Time until = absl::Now() + absl::Milliseconds(kLongest.count());
  while (!Ask(*target).ok() && absl::Now() < until) std::this_thread::yield();
  EXPECT_TRUE(Ask(*target).ok());
}

/// The whole of it: a read, its copy over gRPC, a field that the other has otherwise.
TEST(GrpcTargetTest, AnInjectedDifferenceIsFound) {
  const auto metered = [](double usage) {
    v1::GetMeteredEntitlementResponse response;
    response.set_has_access(true);
    response.mutable_entitlement()->set_current_usage(usage);
    return response.SerializeAsString();
  };
  Other other([&](const std::string&, const std::string&, std::string& out) {
    out = metered(4);
    return grpc::Status::OK;
  });
  SimTime time;
  Shadow shadow(ConnectShadow(other.target()), time, {.sample_percent = 100, .timeout = kLongest});
  Handlers handlers;
  handlers[static_cast<size_t>(Method::kGetMeteredEntitlement)] = [&](Call& call) { call.Finish(metered(3), {}); };
  handlers = shadow.Wrap(std::move(handlers));
  FakeCall call("");
  handlers[static_cast<size_t>(Method::kGetMeteredEntitlement)](call);
  EXPECT_EQ(call.response, metered(3));
  const absl::Time until = absl::Now() + absl::Milliseconds(kLongest.count());
  while (shadow.report().different == 0 && absl::Now() < until) std::this_thread::yield();
  ASSERT_THAT(shadow.samples(), SizeIs(1));
  EXPECT_THAT(shadow.samples()[0].differences,
              ::testing::ElementsAre(FieldDifference{"entitlement.current_usage", "3", "4"}));
}

}  // namespace
}  // namespace sidecar
