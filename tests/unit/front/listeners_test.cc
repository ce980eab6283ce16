#include "front/listeners.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <cstring>
#include <fstream>
#include <future>
#include <stdexcept>

#include "adapters/net/io_thread.h"
#include "support/status_matchers.h"

namespace sidecar {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;
using testing::FailsWith;
using testing::IsOk;

constexpr std::chrono::seconds kAmple{20};

class ListenersTest : public ::testing::Test {
 protected:
  ~ListenersTest() override { io_.Stop(); }

  static TakeGrpc CloseIt() {
    return [](int fd, std::string_view) { close(fd); };
  }
  /// Answers one byte.
  static TakeHttp Greet() {
    return [](tcp::socket socket, std::string_view) {
      error_code ignored;
      boost::asio::write(socket, boost::asio::buffer("x", 1), ignored);
    };
  }

  tcp::socket Connect(uint16_t port) {
    tcp::socket socket(client_);
    socket.connect(tcp::endpoint(boost::asio::ip::address_v4::loopback(), port));
    return socket;
  }

  /// What the server sends until it closes.
  static std::string ReadAll(tcp::socket& socket) {
    std::string all;
    error_code error;
    boost::asio::read(socket, boost::asio::dynamic_buffer(all), error);
    return all;
  }

  static std::string Path(const char* name) { return ::testing::TempDir() + name + std::to_string(getpid()); }

  IoThread io_{"test-io"};
  boost::asio::io_context client_;
};

TEST_F(ListenersTest, AHandlerThatThrowsDoesNotStopTheListener) {
  int connections = 0;
  Listeners listeners(io_.context(), CloseIt(), [&](tcp::socket socket, std::string_view read) {
    if (++connections == 1) throw std::runtime_error("a defect");
    Greet()(std::move(socket), read);
  });
  const auto port = listeners.ListenHttp("127.0.0.1", 0);
  ASSERT_THAT(port, IsOk());
  tcp::socket first = Connect(*port);
  EXPECT_EQ(ReadAll(first), "");
  tcp::socket second = Connect(*port);
  timeval limit{.tv_sec = 10, .tv_usec = 0};
  setsockopt(second.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  EXPECT_EQ(ReadAll(second), "x");
}

TEST_F(ListenersTest, SilentConnectionsAreBoundedAndTheOldestGivesWay) {
  Listeners listeners(io_.context(), CloseIt(), Greet(), {.sniffed_max = 2});
  const auto port = listeners.ListenGrpc("127.0.0.1", 0);
  ASSERT_THAT(port, IsOk());
  tcp::socket oldest = Connect(*port);
  tcp::socket second = Connect(*port);
  EXPECT_EQ(listeners.crowded_out(), 0U);
  tcp::socket third = Connect(*port);
  timeval limit{.tv_sec = 10, .tv_usec = 0};
  setsockopt(oldest.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  char byte;
  EXPECT_EQ(recv(oldest.native_handle(), &byte, 1, 0), 0) << "closed by the server";
  EXPECT_EQ(listeners.crowded_out(), 1U);
  for (tcp::socket* each : {&second, &third}) {
    boost::asio::write(*each, boost::asio::buffer("GET", 3));
    EXPECT_EQ(ReadAll(*each), "x") << "the others are served";
  }
  // Those that were handed on no longer count.
  tcp::socket fourth = Connect(*port);
  tcp::socket fifth = Connect(*port);
  boost::asio::write(fifth, boost::asio::buffer("GET", 3));
  EXPECT_EQ(ReadAll(fifth), "x");
  EXPECT_EQ(listeners.crowded_out(), 1U);
}

TEST_F(ListenersTest, CloseDoesNotWaitForAStuckThread) {
  Listeners listeners(io_.context(), CloseIt(), Greet());
  ASSERT_THAT(listeners.ListenGrpc("127.0.0.1", 0), IsOk());
  std::promise<void> stuck;
  std::promise<void> go_on;
  boost::asio::post(io_.context(), [&] {
    stuck.set_value();
    go_on.get_future().wait();
  });
  stuck.get_future().wait();
  auto closing = std::async(std::launch::async, [&] { listeners.Close(); });
  EXPECT_EQ(closing.wait_for(std::chrono::seconds(5)), std::future_status::ready);
  go_on.set_value();
}

TEST_F(ListenersTest, WhatIsNoSocketIsLeftAlone) {
  const std::string path = Path("precious");
  std::ofstream(path) << "data";
  Listeners listeners(io_.context(), CloseIt(), Greet());
  EXPECT_THAT(listeners.ListenUnix(path), FailsWith(absl::StatusCode::kUnavailable, "it is not a socket"));
  EXPECT_EQ(access(path.c_str(), F_OK), 0);
  unlink(path.c_str());
}

TEST_F(ListenersTest, ALinkToADeadSocketIsLeftAlone) {
  const std::string path = Path("link");
  ASSERT_EQ(symlink("/nowhere/at-all", path.c_str()), 0);
  Listeners listeners(io_.context(), CloseIt(), Greet());
  EXPECT_THAT(listeners.ListenUnix(path), FailsWith(absl::StatusCode::kUnavailable, "it is not a socket"));
  unlink(path.c_str());
}

TEST_F(ListenersTest, ClosingRemovesTheSocketButNothingThatTookItsPlace) {
  const std::string path = Path("mine");
  Listeners listeners(io_.context(), CloseIt(), Greet());
  ASSERT_THAT(listeners.ListenUnix(path), IsOk());
  unlink(path.c_str());
  std::ofstream(path) << "data";
  listeners.Close();
  EXPECT_EQ(access(path.c_str(), F_OK), 0);
  unlink(path.c_str());
}

}  // namespace
}  // namespace sidecar
