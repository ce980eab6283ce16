// The transport against real sockets: what cpprestsdk does by itself is what is tested.
#include "adapters/http/cpprest_transport.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <future>

#include "adapters/http/cpprest_threads.h"
#include "adapters/net/asio_timers.h"
#include "adapters/net/io_thread.h"
#include "support/raw_server.h"

/// Asked by LeakSanitizer. A test may end the process while the library still holds an exchange that it was told to
/// cancel; the daemon ends so too (docs/adr/0010).
extern "C" const char* __lsan_default_suppressions() { return "leak:libcpprest\nleak:pplx::\n"; }

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

TEST_F(TransportTest, ARedirectIsTheAnswer) {
  // Following it would send the API key to whatever host it names.
  RawServer server([](const auto& connection, const std::string& request) {
    if (request.starts_with("GET /elsewhere")) return connection.SendOk("followed");
    return connection.Send("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n");
  });
  HttpRequest request = Get(server);
  request.headers = {{"X-API-KEY", "secret"}};
  const HttpResult result = Send(std::move(request));
  ASSERT_TRUE(result.status.ok()) << result.status;
  EXPECT_EQ(result.response.status, 302);
  EXPECT_EQ(*result.response.Header("Location"), "/elsewhere");
  EXPECT_EQ(server.requests(), 1);
}

TEST_F(TransportTest, ANegativeChunkSizeIsNoResponse) {
  // The library takes the size as a signed number and asks for that much memory.
  for (const char* body : {"a\r\n0123456789\r\n-2\r\n", "-2\r\n", "-1\r\nx\r\n", "-7fffffff\r\n"}) {
    RawServer server([body](const auto& connection, const std::string&) {
      return connection.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n") && connection.Send(body);
    });
    EXPECT_FALSE(Send(Get(server), Millis(1'000)).status.ok()) << body;
  }
}

TEST_F(TransportTest, AHandlerThatThrowsEndsNeitherTheThreadsNorTheProcess) {
  RawServer server([](const auto& connection, const std::string&) { return connection.SendOk("{}"); });
  const uint64_t before = CpprestThreads::failures();
  // More often than there are threads.
  for (int i = 0; i < 5; ++i) CpprestThreads::Post([] { throw std::runtime_error("as a handler of the library may"); });
  CpprestThreads::Post([] { throw 5; });
  EXPECT_TRUE(Send(Get(server)).status.ok());
  EXPECT_TRUE(Send(Get(server)).status.ok());
  EXPECT_EQ(CpprestThreads::failures(), before + 6);
}

TEST_F(TransportTest, AfterAHandlerThrewNoPooledConnectionIsUsed) {
  RawServer server(
      [](const auto& connection, const std::string&) { return connection.SendOk(std::to_string(connection.number)); });
  ASSERT_EQ(Send(Get(server)).response.body, "1");
  std::promise<void> thrown;
  CpprestThreads::Post([&] {
    thrown.set_value();
    throw std::runtime_error("with half a response on a connection");
  });
  thrown.get_future().wait();
  const MonoTime until = Now() + kAmple;
  while (Send(Get(server)).response.body == "1" && Now() < until) {
  }
  EXPECT_LT(Now(), until);
}

TEST_F(TransportTest, AnInterimResponseEndsTheExchangeAndItsConnection) {
  for (const char* head : {"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n",
                           "HTTP/1.1 101 Switching Protocols\r\n\r\n"}) {
    std::promise<void> first_ended;
    auto ended = first_ended.get_future().share();
    RawServer server([&, ended](const auto& connection, const std::string&) {
      if (connection.number > 1) return connection.SendOk("second");
      if (connection.request > 1) return false;
      connection.Send(head);
      ended.wait();
      connection.SendOk("first");  // the real answer, that nobody may take for his own
      return true;
    });
    const HttpResult first = Send(Get(server));
    EXPECT_EQ(first.status.code(), absl::StatusCode::kUnavailable) << head;
    first_ended.set_value();
    const HttpResult second = Send(Get(server));
    EXPECT_EQ(second.response.body, "second") << head << second.status;
  }
}

TEST_F(TransportTest, AConnectionOnWhichNothingMovesIsGivenUp) {
  CpprestTransport transport(timers_, {.library_timeout = Millis(200)});
  RawServer server([](const auto& connection, const std::string&) {
    char byte;
    return recv(connection.fd, &byte, 1, 0) > 0;  // until the peer closes
  });
  std::promise<HttpResult> result;
  transport.Send(Get(server), Now() + kAmple, [&](HttpResult ended) { result.set_value(std::move(ended)); });
  EXPECT_EQ(result.get_future().get().status.code(), absl::StatusCode::kUnavailable);
}

TEST_F(TransportTest, ExchangesThatTheLibraryHoldsAreBounded) {
  std::promise<void> end;
  auto ended = end.get_future().share();
  RawServer server([ended](const auto& connection, const std::string&) {
    ended.wait();
    return connection.SendOk("{}");
  });
  CpprestTransport transport(timers_, {.exchanges_max = 2});
  const auto start = [&] {
    auto promise = std::make_shared<std::promise<HttpResult>>();
    transport.Send(Mutation(server), Now() + kAmple,
                   [promise](HttpResult result) { promise->set_value(std::move(result)); });
    return promise->get_future();
  };
  auto first = start();
  auto second = start();
  const HttpResult third = start().get();
  EXPECT_EQ(third.status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(third.surely_not_sent);
  end.set_value();
  EXPECT_TRUE(first.get().status.ok());
  EXPECT_TRUE(second.get().status.ok());
  // Places are given back when the library lets go, a moment after the answer.
  const MonoTime until = Now() + kAmple;
  while (!start().get().status.ok() && Now() < until) std::this_thread::yield();
  EXPECT_LT(Now(), until);
}

TEST_F(TransportTest, SendDoesNotSetUpTlsOnTheCallersThread) {
  // A certificate file that blocks whoever reads it, until the test writes to it.
  const std::string path = ::testing::TempDir() + "ca-" + std::to_string(getpid()) + ".fifo";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  CpprestTransport transport(timers_, {.extra_ca_file = path});
  std::promise<HttpResult> result;
  auto sending = std::async(std::launch::async, [&] {
    transport.Send({.url = "https://127.0.0.2:9/"}, Now() + kAmple,
                   [&](HttpResult ended) { result.set_value(std::move(ended)); });
  });
  EXPECT_EQ(sending.wait_for(std::chrono::seconds(5)), std::future_status::ready);
  const int fd = open(path.c_str(), O_WRONLY);  // waits for the reader
  close(fd);
  EXPECT_EQ(result.get_future().get().status.code(), absl::StatusCode::kUnavailable);
  unlink(path.c_str());
}

}  // namespace
}  // namespace sidecar
