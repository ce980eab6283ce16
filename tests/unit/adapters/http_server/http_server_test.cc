#include "adapters/http_server/http_server.h"

#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <future>
#include <mutex>
#include <utility>
#include <vector>

#include "adapters/net/io_thread.h"

namespace sidecar {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

class HttpServerTest : public ::testing::Test {
 protected:
  ~HttpServerTest() override {
    io_.Stop();
    held_.clear();  // they hold connections, which must end before the context
  }

  /// A client whose other end is served.
  tcp::socket Connect() {
    tcp::acceptor acceptor(client_, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
    tcp::socket socket(client_);
    socket.connect(acceptor.local_endpoint());
    timeval limit{.tv_sec = 10, .tv_usec = 0};
    setsockopt(socket.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    std::promise<void> served;
    boost::asio::post(io_.context(), [&, fd = acceptor.accept().release()] {
      server_.Serve(tcp::socket(io_.context(), tcp::v4(), fd), "");
      served.set_value();
    });
    served.get_future().wait();
    return socket;
  }

  static void Ask(tcp::socket& socket, const std::string& path) {
    boost::asio::write(socket, boost::asio::buffer("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n"));
  }

  /// The status line of one response without a body, or "" when the server closed.
  static std::string Answer(tcp::socket& socket) {
    std::string head;
    error_code error;
    boost::asio::read_until(socket, boost::asio::dynamic_buffer(head), "\r\n\r\n", error);
    return head.substr(0, head.find("\r\n"));
  }

  std::mutex mu_;
  std::vector<Respond> held_;
  IoThread io_{"test-io"};
  boost::asio::io_context client_;
  HttpServer server_{io_.context(),
                     [this](ServerRequest request, Respond respond) {
                       if (request.path != "/held") return std::move(respond)({});
                       const std::lock_guard lock(mu_);
                       held_.push_back(std::move(respond));
                     },
                     {.connections_max = 3}};
};

constexpr char kOk[] = "HTTP/1.1 200 OK";

TEST_F(HttpServerTest, WhenFullTheLongestIdleMakesWay) {
  tcp::socket first = Connect();
  tcp::socket second = Connect();
  tcp::socket third = Connect();
  Ask(first, "/");
  EXPECT_EQ(Answer(first), kOk);  // from now on the second has waited longest
  tcp::socket probe = Connect();
  Ask(probe, "/livez");
  EXPECT_EQ(Answer(probe), kOk);
  EXPECT_EQ(Answer(second), "") << "closed";
  for (tcp::socket* each : {&first, &third}) {
    Ask(*each, "/");
    EXPECT_EQ(Answer(*each), kOk) << "the others stay";
  }
}

TEST_F(HttpServerTest, OneThatIsBeingAnsweredDoesNotMakeWay) {
  std::vector<tcp::socket> busy;
  for (int i = 0; i < 3; ++i) {
    busy.push_back(Connect());
    Ask(busy.back(), "/held");
  }
  const auto all_held = [&] {
    const std::lock_guard lock(mu_);
    return held_.size() == busy.size();
  };
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!all_held() && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  ASSERT_TRUE(all_held());
  tcp::socket refused = Connect();
  EXPECT_EQ(Answer(refused), "");
  for (Respond& respond : held_) std::move(respond)({});
  for (tcp::socket& each : busy) EXPECT_EQ(Answer(each), kOk);
}

TEST_F(HttpServerTest, ManyThatMakeWayLeaveNoTrace) {
  std::vector<tcp::socket> all;
  for (int i = 0; i < 50; ++i) all.push_back(Connect());
  Ask(all.back(), "/");
  EXPECT_EQ(Answer(all.back()), kOk);
  EXPECT_EQ(Answer(all.front()), "");
}

}  // namespace
}  // namespace sidecar
