// The transport against real sockets: what cpprestsdk does by itself is what is tested.
#include "adapters/http/cpprest_transport.h"

#include <gtest/gtest.h>

#include <future>

#include "adapters/net/asio_timers.h"
#include "adapters/net/io_thread.h"
#include "support/raw_server.h"

namespace sidecar {
namespace {

using testing::RawServer;

MonoTime Now() { return std::chrono::time_point_cast<Millis>(std::chrono::steady_clock::now()); }

constexpr Millis kAmple{20'000};

class TransportTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { CpprestTransport::SizeThreadPool(2); }

  TransportTest() : timers_(io_.context()), transport_(timers_, {.body_bytes_max = 1 << 20}) {}
  ~TransportTest() override { io_.Stop(); }

  std::future<HttpResult> Start(HttpRequest request, Millis within = kAmple) {
    auto promise = std::make_shared<std::promise<HttpResult>>();
    transport_.Send(std::move(request), Now() + within,
                    [promise](HttpResult result) { promise->set_value(std::move(result)); });
    return promise->get_future();
  }

  HttpResult Send(HttpRequest request, Millis within = kAmple) {
    std::future<HttpResult> result = Start(std::move(request), within);
    EXPECT_EQ(result.wait_for(std::chrono::seconds(30)), std::future_status::ready);
    return result.get();
  }

  IoThread io_{"test-io"};
  AsioTimers timers_;
  CpprestTransport transport_;
};

HttpRequest Get(const RawServer& server) { return {.url = server.url() + "/x?y=1"}; }

HttpRequest Mutation(const RawServer& server) {
  return {.method = "POST",
          .url = server.url() + "/graphql",
          .headers = {{"Content-Type", "application/json"}},
          .body = R"({"operationName":"ReportUsage"})",
          .send_once = true};
}

TEST_F(TransportTest, ExchangesRequestAndResponse) {
  std::string seen;
  RawServer server([&](const auto& connection, const std::string& request) {
    seen = request;
    return connection.Send("HTTP/1.1 404 Not Found\r\nX-Thing: 1\r\nContent-Length: 2\r\n\r\nno");
  });
  const HttpResult result = Send({.url = server.url() + "/a%20b?y=1%2F2", .headers = {{"X-API-KEY", "k"}}});
  ASSERT_TRUE(result.status.ok()) << result.status;
  EXPECT_EQ(result.response.status, 404) << "any status is a complete exchange";
  EXPECT_EQ(result.response.body, "no");
  EXPECT_EQ(*result.response.Header("x-thing"), "1");
  EXPECT_EQ(seen.substr(0, seen.find("\r\n")), "GET /a%20b?y=1%2F2 HTTP/1.1");
  EXPECT_NE(seen.find("X-API-KEY:k\r\n"), std::string::npos) << seen;
}

TEST_F(TransportTest, KeepsConnectionsAlive) {
  RawServer server([](const auto& connection, const std::string&) { return connection.SendOk("{}"); });
  constexpr int kExchanges = 20;
  for (int i = 0; i < kExchanges; ++i) ASSERT_TRUE(Send(Get(server)).status.ok());
  // One may be on its way back into the pool when the next exchange looks for it.
  EXPECT_LT(server.connections(), kExchanges / 2);
}

TEST_F(TransportTest, SendsAMutationOnceEvenOnAWarmConnectionThatDropsIt) {
  std::atomic<int> mutations{0};
  RawServer server([&](const auto& connection, const std::string& request) {
    if (request.starts_with("GET")) return connection.SendOk("{}");
    ++mutations;
    return false;  // processed, then the connection is closed without an answer
  });
  // A pool of three warm connections: cpprestsdk would try each.
  std::vector<std::future<HttpResult>> warm_up;
  for (int i = 0; i < 3; ++i) warm_up.push_back(Start(Get(server)));
  for (auto& result : warm_up) ASSERT_TRUE(result.get().status.ok());
  const HttpResult result = Send(Mutation(server));
  EXPECT_EQ(result.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(result.surely_not_sent);
  EXPECT_EQ(mutations, 1);
}

TEST_F(TransportTest, SendsTheWholeBodyOfAMutation) {
  std::string seen;
  RawServer server([&](const auto& connection, const std::string& request) {
    seen = request;
    return connection.SendOk("{}");
  });
  HttpRequest request = Mutation(server);
  request.body = std::string(300'000, 'x');
  ASSERT_TRUE(Send(request).status.ok());
  EXPECT_TRUE(seen.ends_with("\r\n\r\n" + request.body)) << seen.substr(0, 400);
  EXPECT_NE(seen.find("Content-Type:application/json\r\n"), std::string::npos);
}

TEST_F(TransportTest, ASilentServerEndsAtTheDeadline) {
  std::promise<void> end;
  auto ended = end.get_future().share();
  RawServer server([ended](const auto&, const std::string&) {
    ended.wait();
    return false;
  });
  const MonoTime start = Now();
  const HttpResult result = Send(Get(server), Millis(200));
  EXPECT_EQ(result.status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_GE(Now() - start, Millis(200));
  EXPECT_LT(Now() - start, Millis(5'000));
  end.set_value();
}

TEST_F(TransportTest, ATrickledBodyEndsAtTheDeadline) {
  RawServer server([](const auto& connection, const std::string&) {
    if (!connection.Send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")) return false;
    while (connection.Send("x")) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return false;
  });
  EXPECT_EQ(Send(Get(server), Millis(200)).status.code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(TransportTest, ABodyOverTheCapIsRefusedByItsAnnouncedLength) {
  RawServer server([](const auto& connection, const std::string&) {
    connection.Send("HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n");
    const std::string chunk(1 << 16, 'x');
    while (connection.Send(chunk)) {
    }
    return false;
  });
  EXPECT_EQ(Send(Get(server)).status.code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(TransportTest, ABodyOverTheCapIsCutOffWhileItArrives) {
  std::atomic<size_t> sent{0};
  RawServer server([&](const auto& connection, const std::string&) {
    connection.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    const std::string chunk = "10000\r\n" + std::string(1 << 16, 'x') + "\r\n";
    while (sent < (100U << 20) && connection.Send(chunk)) sent += chunk.size();
    return false;
  });
  EXPECT_EQ(Send(Get(server)).status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_LT(sent, 50U << 20) << "the connection was closed early";
}

TEST_F(TransportTest, HalfABodyIsNoResponse) {
  RawServer server([](const auto& connection, const std::string&) {
    connection.Send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"data\":");
    return false;
  });
  EXPECT_EQ(Send(Get(server)).status.code(), absl::StatusCode::kUnavailable);
}

TEST_F(TransportTest, AMutationWithHalfAnAnswerWasSent) {
  RawServer server([](const auto& connection, const std::string&) {
    connection.Send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"data\":");
    return false;
  });
  const HttpResult result = Send(Mutation(server));
  EXPECT_EQ(result.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(result.surely_not_sent);
}

TEST_F(TransportTest, AfterAFailureConnectionsAreNew) {
  std::atomic<bool> closing{true};
  RawServer server([&](const auto& connection, const std::string&) {
    // Says "keep-alive" and closes all the same, as a load balancer does with idle ones.
    return connection.SendOk("{}") && !closing;
  });
  std::vector<std::future<HttpResult>> warm_up;
  for (int i = 0; i < 10; ++i) warm_up.push_back(Start(Get(server)));
  for (auto& result : warm_up) ASSERT_TRUE(result.get().status.ok());
  closing = false;
  if (Send(Mutation(server)).status.ok()) GTEST_SKIP() << "the first connection happened to be new";
  EXPECT_TRUE(Send(Mutation(server)).status.ok());
}

TEST_F(TransportTest, MutationsMayBeStartedOnTheLibrarysOwnThreads) {
  RawServer server([](const auto& connection, const std::string&) { return connection.SendOk("{}"); });
  constexpr int kExchanges = 64;
  std::atomic<int> answered{0};
  std::promise<void> all;
  for (int i = 0; i < kExchanges; ++i) {
    transport_.Send(Mutation(server), Now() + kAmple, [&](const HttpResult&) {
      transport_.Send(Mutation(server), Now() + kAmple, [&](const HttpResult& second) {
        EXPECT_TRUE(second.status.ok()) << second.status;
        if (++answered == kExchanges) all.set_value();
      });
    });
  }
  EXPECT_EQ(all.get_future().wait_for(std::chrono::seconds(30)), std::future_status::ready);
}

TEST_F(TransportTest, GarbageIsNoResponse) {
  RawServer server([](const auto& connection, const std::string&) {
    connection.Send("SSH-2.0-OpenSSH_9.2\r\n\r\n");
    return false;
  });
  EXPECT_FALSE(Send(Get(server), Millis(2'000)).status.ok());
}

TEST_F(TransportTest, AResetConnectionIsNoResponse) {
  RawServer server([](const auto& connection, const std::string&) {
    connection.Reset();
    return false;
  });
  EXPECT_EQ(Send(Get(server)).status.code(), absl::StatusCode::kUnavailable);
}

TEST_F(TransportTest, ARefusedConnectionSentNothing) {
  std::string url;
  {
    url = RawServer([](const auto&, const std::string&) { return false; }).url();
  }
  const HttpResult result = Send({.method = "POST", .url = url + "/", .body = "{}", .send_once = true});
  EXPECT_EQ(result.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(result.surely_not_sent);
}

TEST_F(TransportTest, WhatIsNoUrlSentNothing) {
  const HttpResult result = Send({.method = "POST", .url = "http://[::1/", .body = "{}", .send_once = true});
  EXPECT_EQ(result.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(result.surely_not_sent);
}

TEST_F(TransportTest, ManyExchangesAtOnce) {
  RawServer server([](const auto& connection, const std::string&) { return connection.SendOk("{}"); });
  std::vector<std::future<HttpResult>> results;
  for (int i = 0; i < 64; ++i) results.push_back(Start(Get(server)));
  for (auto& result : results) EXPECT_TRUE(result.get().status.ok());
}

}  // namespace
}  // namespace sidecar
