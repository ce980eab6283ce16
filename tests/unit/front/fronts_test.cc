// The front and the listeners with a real grpc++ client and real sockets.
#include "front/fronts.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <future>
#include <thread>

#include "adapters/http_server/http_server.h"
#include "adapters/net/io_thread.h"
#include "front/listeners.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "support/status_matchers.h"

namespace sidecar {
namespace {

namespace v1 = stigg::sidecar::v1;
using boost::asio::ip::tcp;

MonoTime Now() { return std::chrono::time_point_cast<Millis>(std::chrono::steady_clock::now()); }

class FrontTest : public ::testing::TestWithParam<FrontKind> {
 protected:
  FrontTest()
      : probe_server_(io_.context(),
                      [](ServerRequest request, Respond respond) { std::move(respond)({.body = request.path}); }, {}) {
    for (Handler& handler : handlers_) {
      handler = [](Call& call) { call.Finish(call.request(), {}); };  // an echo, unless a test says otherwise
    }
  }

  ~FrontTest() override {
    if (listeners_ != nullptr) listeners_->Close();
    EXPECT_TRUE(front_->Shutdown(Now() + Millis(5'000)));
    io_.Stop();
  }

  void Start() {
    front_ = std::make_unique<Fronts>(
        Fronts::Parts{.handlers = handlers_, .health = health_, .threads = 2, .tracer = nullptr}, GetParam());
    ASSERT_THAT(front_->Start(nullptr), testing::IsOk());
    listeners_ = std::make_unique<Listeners>(
        io_.context(), [this](int fd, std::string_view read) { front_->Serve(fd, read); },
        [this](tcp::socket socket, std::string_view read) { probe_server_.Serve(std::move(socket), read); });
    const auto port = listeners_->ListenGrpc("127.0.0.1", 0);
    ASSERT_THAT(port, testing::IsOk());
    port_ = *port;
    channel_ = grpc::CreateChannel("127.0.0.1:" + std::to_string(port_), grpc::InsecureChannelCredentials());
    stub_ = v1::SidecarService::NewStub(channel_);
  }

  Handler& On(Method method) { return handlers_[static_cast<size_t>(method)]; }

  static void SetDeadline(grpc::ClientContext& context, int seconds = 20) {
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(seconds));
  }

  IoThread io_{"test-io"};
  HttpServer probe_server_;
  Handlers handlers_;
  HealthState health_;
  std::unique_ptr<Fronts> front_;
  std::unique_ptr<Listeners> listeners_;
  uint16_t port_ = 0;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::SidecarService::Stub> stub_;
};

TEST_P(FrontTest, CarriesBytesTrailersAndMetadata) {
  std::string seen_metadata;
  On(Method::kGetEntitlements) = [&](Call& call) {
    seen_metadata = std::string(call.Metadata("x-entitlement-trace"));
    EXPECT_EQ(call.Metadata("absent"), "");
    v1::GetEntitlementsResponse response;
    response.set_access_denied_reason(v1::ACCESS_DENIED_REASON_REVOKED);
    call.Finish(response.SerializeAsString(),
                {.source = AnswerOrigin::Source::kMemory, .age = Millis(42), .routine = true});
  };
  Start();
  for (const bool traced : {true, false}) {
    grpc::ClientContext context;
    SetDeadline(context);
    if (traced) context.AddMetadata("x-entitlement-trace", "1");
    v1::GetEntitlementsResponse response;
    const grpc::Status status = stub_->GetEntitlements(&context, {}, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.access_denied_reason(), v1::ACCESS_DENIED_REASON_REVOKED);
    EXPECT_EQ(seen_metadata, traced ? "1" : "");
    const auto& trailers = context.GetServerTrailingMetadata();
    EXPECT_EQ(trailers.contains("x-entitlement-source"), traced);
    if (traced) {
      EXPECT_EQ(trailers.find("x-entitlement-source")->second, "memory");
      EXPECT_EQ(trailers.find("x-entitlement-age-ms")->second, "42");
    }
  }
}

TEST_P(FrontTest, StaleAnswersAlwaysCarryTheirOrigin) {
  On(Method::kGetEntitlements) = [](Call& call) {
    call.Finish("", {.source = AnswerOrigin::Source::kMemory, .age = Millis(7)});
  };
  Start();
  grpc::ClientContext context;
  SetDeadline(context);
  v1::GetEntitlementsResponse response;
  ASSERT_TRUE(stub_->GetEntitlements(&context, {}, &response).ok());
  EXPECT_EQ(context.GetServerTrailingMetadata().find("x-entitlement-age-ms")->second, "7");
}

TEST_P(FrontTest, RequestsInManySlicesArriveWhole) {
  size_t seen = 0;
  On(Method::kReportEvents) = [&](Call& call) {
    seen = call.request().size();
    EXPECT_EQ(call.request().data(), call.request().data()) << "joined once";
    call.Finish("", {});
  };
  Start();
  v1::ReportEventsRequest request;
  for (int i = 0; i < 3000; ++i) request.add_events()->set_event_name(std::string(1000, 'x'));
  grpc::ClientContext context;
  SetDeadline(context);
  google::protobuf::Empty response;
  ASSERT_TRUE(stub_->ReportEvents(&context, request, &response).ok());
  EXPECT_EQ(seen, request.ByteSizeLong());
}

TEST_P(FrontTest, MessagesOverFourMebibytesAreRefused) {
  Start();
  v1::ReportEventsRequest request;
  request.add_events()->set_event_name(std::string(5 << 20, 'x'));
  grpc::ClientContext context;
  SetDeadline(context);
  google::protobuf::Empty response;
  EXPECT_EQ(stub_->ReportEvents(&context, request, &response).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_P(FrontTest, StatusAndDetailsReachTheCaller) {
  On(Method::kReportUsage) = [](Call& call) { call.Fail(absl::ResourceExhaustedError("slow down"), "the details"); };
  Start();
  grpc::ClientContext context;
  SetDeadline(context);
  v1::ReportUsageResponse response;
  const grpc::Status status = stub_->ReportUsage(&context, {}, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(status.error_message(), "slow down");
  EXPECT_EQ(status.error_details(), "the details");
}

TEST_P(FrontTest, CallsMayBeFinishedLaterFromAnotherThread) {
  std::vector<std::thread> threads;
  std::mutex mu;
  On(Method::kGetEntitlements) = [&](Call& call) {
    const std::lock_guard lock(mu);
    threads.emplace_back([&call] { call.Finish("", {}); });
  };
  Start();
  for (int i = 0; i < 200; ++i) {
    grpc::ClientContext context;
    SetDeadline(context);
    v1::GetEntitlementsResponse response;
    ASSERT_TRUE(stub_->GetEntitlements(&context, {}, &response).ok());
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_P(FrontTest, TheDeadlineReachesTheHandler) {
  std::optional<MonoTime> seen;
  On(Method::kGetEntitlements) = [&](Call& call) {
    seen = call.deadline();
    call.Finish("", {});
  };
  Start();
  {
    grpc::ClientContext context;
    SetDeadline(context, 10);
    v1::GetEntitlementsResponse response;
    ASSERT_TRUE(stub_->GetEntitlements(&context, {}, &response).ok());
    ASSERT_TRUE(seen.has_value());
    EXPECT_LE(*seen - Now(), Millis(10'200)) << "gRPC rounds time-outs up a little";
    EXPECT_GT(*seen - Now(), Millis(5'000));
  }
  grpc::ClientContext context;
  v1::GetEntitlementsResponse response;
  ASSERT_TRUE(stub_->GetEntitlements(&context, {}, &response).ok());
  EXPECT_EQ(seen, std::nullopt);
}

TEST_P(FrontTest, ADeadlineADayAwayIsNone) {
  std::optional<MonoTime> seen;
  On(Method::kGetEntitlements) = [&](Call& call) {
    seen = call.deadline();
    call.Finish("", {});
  };
  Start();
  // From 2,562,048 hours on nanoseconds do not fit into 64 bits; the last is the largest that
  // the protocol can say.
  for (const int64_t hours : {23, 25, 2'562'047, 2'562'048, 5'124'096, 99'999'999}) {
    grpc::ClientContext context;
    gpr_timespec deadline = gpr_now(GPR_CLOCK_REALTIME);
    deadline.tv_sec += hours * 3'600;
    context.set_deadline(deadline);
    v1::GetEntitlementsResponse response;
    ASSERT_TRUE(stub_->GetEntitlements(&context, {}, &response).ok()) << hours;
    EXPECT_EQ(seen.has_value(), hours < 24) << hours;
  }
}

TEST_P(FrontTest, ReflectionStreamsEndWithTheServer) {
  Start();
  const auto stub = grpc::reflection::v1::ServerReflection::NewStub(channel_);
  grpc::ClientContext context;
  SetDeadline(context);
  const auto stream = stub->ServerReflectionInfo(&context);
  grpc::reflection::v1::ServerReflectionRequest request;
  request.set_list_services("*");
  grpc::reflection::v1::ServerReflectionResponse response;
  ASSERT_TRUE(stream->Write(request));
  ASSERT_TRUE(stream->Read(&response));
  health_.Enter(HealthState::Phase::kDraining);
  ASSERT_TRUE(stream->Write(request));
  ASSERT_TRUE(stream->Read(&response)) << "answered while draining";
  health_.Enter(HealthState::Phase::kEnded);
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  // One that comes later ends at once.
  grpc::ClientContext late_context;
  SetDeadline(late_context);
  EXPECT_EQ(stub->ServerReflectionInfo(&late_context)->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_P(FrontTest, ManyCallsAtOnceAreAllAnswered) {
  Start();
  std::vector<std::future<bool>> results;
  for (int t = 0; t < 8; ++t) {
    results.push_back(std::async(std::launch::async, [&] {
      for (int i = 0; i < 500; ++i) {
        grpc::ClientContext context;
        SetDeadline(context);
        v1::GetEntitlementsResponse response;
        if (!stub_->GetEntitlements(&context, {}, &response).ok()) return false;
      }
      return true;
    }));
  }
  for (auto& result : results) EXPECT_TRUE(result.get());
  // A caller has its answer a moment before the queue hears that the call has ended.
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (front_->running() > 0 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  EXPECT_EQ(front_->running(), 0U);
}

TEST_P(FrontTest, RunningCallsFinishBeforeTheShutdown) {
  std::promise<Call*> arrived;
  On(Method::kGetEntitlements) = [&](Call& call) { arrived.set_value(&call); };
  Start();
  auto client = std::async(std::launch::async, [&] {
    grpc::ClientContext context;
    SetDeadline(context);
    v1::GetEntitlementsResponse response;
    return stub_->GetEntitlements(&context, {}, &response).ok();
  });
  Call* const call = arrived.get_future().get();
  EXPECT_EQ(front_->running(), 1U);
  auto shutdown = std::async(std::launch::async, [&] { return front_->Shutdown(Now() + Millis(10'000)); });
  call->Finish("", {});
  EXPECT_TRUE(client.get());
  EXPECT_TRUE(shutdown.get());
}

TEST_P(FrontTest, HttpOneOnTheGrpcPortIsAnswered) {
  Start();
  boost::asio::io_context context;
  tcp::socket socket(context);
  socket.connect(tcp::endpoint(boost::asio::ip::address_v4::loopback(), port_));
  // Byte by byte at first: the decision is made on as few as differ.
  for (const char c : std::string("GET")) boost::asio::write(socket, boost::asio::buffer(&c, 1));
  boost::asio::write(socket,
                     boost::asio::buffer(std::string(" /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")));
  std::string response;
  boost::system::error_code error;
  boost::asio::read(socket, boost::asio::dynamic_buffer(response), error);
  EXPECT_TRUE(response.starts_with("HTTP/1.1 200 OK\r\n")) << response;
  EXPECT_TRUE(response.ends_with("/livez"));
}

TEST_P(FrontTest, AMethodThatBeginsLikeThePrefaceIsHttpOne) {
  Start();
  boost::asio::io_context context;
  tcp::socket socket(context);
  socket.connect(tcp::endpoint(boost::asio::ip::address_v4::loopback(), port_));
  boost::asio::write(socket,
                     boost::asio::buffer(std::string("PROPFIND / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")));
  std::string response;
  boost::system::error_code error;
  boost::asio::read(socket, boost::asio::dynamic_buffer(response), error);
  EXPECT_TRUE(response.starts_with("HTTP/1.1 ")) << response;
}

TEST_P(FrontTest, AUnixSocketServesToo) {
  Start();
  const std::string path = ::testing::TempDir() + "front-" + std::to_string(getpid()) + ".sock";
  ASSERT_THAT(listeners_->ListenUnix(path), testing::IsOk());
  struct stat info {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0660U);
  const auto stub =
      v1::SidecarService::NewStub(grpc::CreateChannel("unix:" + path, grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  SetDeadline(context);
  v1::GetEntitlementsResponse response;
  EXPECT_TRUE(stub->GetEntitlements(&context, {}, &response).ok());
  EXPECT_THAT(listeners_->ListenUnix(path),
              testing::FailsWith(absl::StatusCode::kUnavailable, "another process serves it"));
  listeners_->Close();
  EXPECT_NE(stat(path.c_str(), &info), 0) << "the socket file is removed";
}

TEST_P(FrontTest, ADeadSocketFileIsReplaced) {
  Start();
  const std::string path = ::testing::TempDir() + "dead-" + std::to_string(getpid()) + ".sock";
  {
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{.sun_family = AF_UNIX};
    std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
    ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    close(fd);
  }
  EXPECT_THAT(listeners_->ListenUnix(path), testing::IsOk());
}

TEST_P(FrontTest, AddressesThatCannotBeBoundAreNamed) {
  Start();
  EXPECT_THAT(listeners_->ListenGrpc("127.0.0.1", port_),
              testing::FailsWith(absl::StatusCode::kUnavailable, std::to_string(port_)));
  EXPECT_THAT(listeners_->ListenGrpc("localhost", 0),
              testing::FailsWith(absl::StatusCode::kInvalidArgument, "'localhost' is not an IP address"));
  EXPECT_THAT(listeners_->ListenUnix("/nowhere/x.sock"),
              testing::FailsWith(absl::StatusCode::kUnavailable, "/nowhere/x.sock"));
}

INSTANTIATE_TEST_SUITE_P(Fronts, FrontTest, ::testing::Values(FrontKind::kGrpc, FrontKind::kNghttp2),
                         [](const auto& kind) { return kind.param == FrontKind::kGrpc ? "Grpc" : "Nghttp2"; });

}  // namespace
}  // namespace sidecar
