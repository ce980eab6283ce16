// The WebSocket client against real sockets: what Beast does by itself is what is tested.
#include "adapters/websocket/beast_connector.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>
#include <future>

#include "support/status_matchers.h"
#include "support/tcp_server.h"
#include "support/websocket_recorder.h"

namespace sidecar {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;
using asio::ip::tcp;
using testing::FailsWith;
using testing::RecordingClient;
using testing::TcpServer;

using testing::kUnavailable;
constexpr auto kDeadline = absl::StatusCode::kDeadlineExceeded;
constexpr auto kExhausted = absl::StatusCode::kResourceExhausted;

using Server = websocket::stream<tcp::socket>;

/// The server's side of a handshake.
void Accept(Server& server, const std::string& subprotocol = "graphql-transport-ws") {
  server.set_option(websocket::stream_base::decorator([subprotocol](websocket::response_type& response) {
    if (!subprotocol.empty()) response.set(beast::http::field::sec_websocket_protocol, subprotocol);
  }));
  server.accept();
}

std::string Read(Server& server) {
  beast::flat_buffer buffer;
  server.read(buffer);
  return beast::buffers_to_string(buffer.data());
}

/// Reads until the client closes; the code it gave, 0 without a close frame.
uint16_t ReadToEnd(Server& server) {
  for (;;) {
    beast::flat_buffer buffer;
    beast::error_code error;
    server.read(buffer, error);
    if (error) return server.reason().code;
  }
}

std::string ReadHead(tcp::socket& socket) {
  std::string head;
  asio::read_until(socket, asio::dynamic_buffer(head), "\r\n\r\n");
  return head;
}

/// Reads whatever comes until the peer is gone.
void Drain(tcp::socket& socket) {
  char bytes[4096];
  boost::system::error_code error;
  while (!error) socket.read_some(asio::buffer(bytes), error);
}

/// Reads nothing until the peer, or the test, is gone.
void WaitWithoutReading(tcp::socket& socket) {
  pollfd wait{.fd = socket.native_handle(), .events = POLLRDHUP, .revents = 0};
  poll(&wait, 1, 30'000);
}

std::string Url(const TcpServer& server) { return "ws://127.0.0.1:" + server.port() + "/graphql"; }

BeastConnector::Settings Quick() {
  return {.user_agent = "stigg-sidecar/test", .limits = {.connect = Millis(20'000), .close = Millis(300)}};
}

TEST(BeastConnectorTest, ExchangesMessages) {
  TcpServer peer([&](tcp::socket socket) {
    Server server(std::move(socket));
    Accept(server);
    server.write(asio::buffer(Read(server) + " back"));
    ReadToEnd(server);
  });
  RecordingClient client(Quick());
  client.Connect(Url(peer));
  ASSERT_TRUE(client.WaitOpened()) << client.failure;
  client.Send("there");
  ASSERT_TRUE(client.WaitMessages(1));
  EXPECT_EQ(client.messages[0], "there back");
}

TEST(BeastConnectorTest, TheHandshakeNamesHostPathSubprotocolAndAgent) {
  std::promise<std::string> head;
  TcpServer peer([&](tcp::socket socket) {
    head.set_value(ReadHead(socket));
    Drain(socket);
  });
  RecordingClient client(Quick());
  client.Connect(Url(peer));
  const std::string seen = head.get_future().get();
  EXPECT_TRUE(seen.starts_with("GET /graphql HTTP/1.1\r\n")) << seen;
  EXPECT_NE(seen.find("Host: 127.0.0.1:" + peer.port() + "\r\n"), std::string::npos) << seen;
  EXPECT_NE(seen.find("Sec-WebSocket-Protocol: graphql-transport-ws\r\n"), std::string::npos) << seen;
  EXPECT_NE(seen.find("User-Agent: stigg-sidecar/test\r\n"), std::string::npos) << seen;
}

TEST(BeastConnectorTest, MessagesLeaveInOrder) {
  constexpr int kMessages = 500;
  std::promise<std::vector<std::string>> received;
  TcpServer peer([&](tcp::socket socket) {
    Server server(std::move(socket));
    Accept(server);
    std::vector<std::string> all;
    for (int i = 0; i < kMessages; ++i) all.push_back(Read(server));
    received.set_value(std::move(all));
    ReadToEnd(server);
  });
  RecordingClient client(Quick());
  client.Connect(Url(peer));
  ASSERT_TRUE(client.WaitOpened());
  for (int i = 0; i < kMessages; ++i) client.Send(std::to_string(i));
  const std::vector<std::string> all = received.get_future().get();
  for (int i = 0; i < kMessages; ++i) EXPECT_EQ(all[i], std::to_string(i));
}

TEST(BeastConnectorTest, FragmentsAreJoinedAcrossControlFrames) {
  TcpServer peer([](tcp::socket socket) {
    Server server(std::move(socket));
    Accept(server);
    server.write_some(false, asio::buffer("frag", 4));
    server.ping("are you there");
    server.write_some(false, asio::buffer("men\xC3", 4));  // a character cut in two
    server.write_some(true, asio::buffer("\xA9", 1));
    ReadToEnd(server);
  });
  RecordingClient client(Quick());
  client.Connect(Url(peer));
  ASSERT_TRUE(client.WaitMessages(1)) << client.failure;
  EXPECT_EQ(client.messages[0], "fragmen\xC3\xA9");
}

TEST(BeastConnectorTest, BinaryMessagesAreTakenAsText) {
  TcpServer peer([](tcp::socket socket) {
    Server server(std::move(socket));
    Accept(server);
    server.binary(true);
    server.write(asio::buffer(std::string(R"({"type":"ping"})")));
    ReadToEnd(server);
  });
  RecordingClient client(Quick());
  client.Connect(Url(peer));
  ASSERT_TRUE(client.WaitMessages(1)) << client.failure;
  EXPECT_EQ(client.messages[0], R"({"type":"ping"})");
}

TEST(BeastConnectorTest, AMessageOfTheLargestSizeArrives) {
  TcpServer peer([](tcp::socket socket) {
    Server server(std::move(socket));
    Accept(server);
    server.write(asio::buffer(std::string(4 << 20, 'x')));
    server.write(asio::buffer(std::string("next")));
    ReadToEnd(server);
  });
  RecordingClient client(Quick());
  client.Connect(Url(peer));
  ASSERT_TRUE(client.WaitMessages(2)) << client.failure;
  EXPECT_EQ(client.messages[0].size(), 4U << 20);
  EXPECT_EQ(client.messages[1], "next");
}

TEST(BeastConnectorTest, AMessageTooLargeInOneFrameEndsTheConnection) {
  TcpServer peer([](tcp::socket socket) {
    Server server(std::move(socket));
    Accept(server);
    server.auto_fragment(false);
    server.write(asio::buffer(std::string((4 << 20) + 1, 'x')));
    ReadToEnd(server);
  });
  RecordingClient client(Quick());
  client.Connect(Url(peer));
  ASSERT_TRUE(client.WaitEnded());
  EXPECT_THAT(client.failure, FailsWith(kExhausted, "larger than 4194304"));
  EXPECT_TRUE(client.messages.empty());
}

TEST(BeastConnectorTest, AMessageTooLargeInFragmentsIsRefusedWith1009) {
  std::promise<uint16_t> code;
  TcpServer peer([&](tcp::socket socket) {
    Server server(std::move(socket));
    Accept(server);
    server.write_some(false, asio::buffer(std::string(4 << 20, 'x')));
    server.write_some(true, asio::buffer("x", 1));
    code.set_value(ReadToEnd(server));
  });
  RecordingClient client(Quick());
  client.Connect(Url(peer));
  ASSERT_TRUE(client.WaitEnded());
  EXPECT_THAT(client.failure, FailsWith(kExhausted, "larger than 4194304"));
  EXPECT_TRUE(client.messages.empty());
  // The byte that was not read may have had the kernel drop our last words.
  EXPECT_THAT(code.get_future().get(), ::testing::AnyOf(1009, 0));
}

TEST(BeastConnectorTest, TextThatIsNotUtf8IsRefusedWith1007) {
  std::promise<uint16_t> code;
  TcpServer peer([&](tcp::socket socket) {
    Server server(std::move(socket));
    Accept(server);
    server.write(asio::buffer("\xFF\xFE", 2));
    code.set_value(ReadToEnd(server));
  });
  RecordingClient client(Quick());
  client.Connect(Url(peer));
  ASSERT_TRUE(client.WaitEnded());
  EXPECT_THAT(client.failure, FailsWith(kUnavailable, ""));
  EXPECT_EQ(code.get_future().get(), 1007);
}

TEST(BeastConnectorTest, BytesThatAreNoFrameEndTheConnection) {
  TcpServer peer([](tcp::socket socket) {
    Server server(std::move(socket));
    Accept(server);
    asio::write(server.next_layer(), asio::buffer("\xF7garbage that is no frame", 25));
    Drain(server.next_layer());
  });
  RecordingClient client(Quick());
  client.Connect(Url(peer));
  ASSERT_TRUE(client.WaitEnded());
  EXPECT_THAT(client.failure, FailsWith(kUnavailable, ""));
}

class CloseCodeTest : public ::testing::TestWithParam<uint16_t> {};

TEST_P(CloseCodeTest, OfTheServerReachesTheOwner) {
  TcpServer peer([](tcp::socket socket) {
    Server server(std::move(socket));
    Accept(server);
    server.close({static_cast<websocket::close_code>(GetParam()), "Invalid API key"});
  });
  RecordingClient client(Quick());
  client.Connect(Url(peer));
  ASSERT_TRUE(client.WaitEnded());
  EXPECT_EQ(client.code, GetParam());
  EXPECT_EQ(client.reason, "Invalid API key");
  EXPECT_TRUE(client.failure.ok()) << client.failure;
}

INSTANTIATE_TEST_SUITE_P(Codes, CloseCodeTest, ::testing::Values(1000, 1001, 1011, 1012, 1013, 4401, 4403, 4429, 4500),
                         [](const auto& row) { return std::to_string(row.param); });

TEST(BeastConnectorTest, ACloseWithoutACodeIs1005) {
  TcpServer peer([](tcp::socket socket) {
    Server server(std::move(socket));
    Accept(server);
    server.close(websocket::close_code::none);
  });
  RecordingClient client(Quick());
  client.Connect(Url(peer));
  ASSERT_TRUE(client.WaitEnded());
  EXPECT_EQ(client.code, 1005);
}

TEST(BeastConnectorTest, ACloseIsToldEvenWhenTheServerKeepsTheSocketOpen) {
  TcpServer peer([](tcp::socket socket) {
    Server server(std::move(socket));
    Accept(server);
    asio::write(server.next_layer(), asio::buffer("\x88\x02\x03\xE8", 4));  // close 1000, and nothing after it
    Drain(server.next_layer());
  });
  RecordingClient client(Quick());
  client.Connect(Url(peer));
  ASSERT_TRUE(client.WaitEnded());
  EXPECT_EQ(client.code, 1000);
}

TEST(BeastConnectorTest, AConnectionThatBreaksOffIsUnavailable) {
  TcpServer peer([](tcp::socket socket) {
    Server server(std::move(socket));
    Accept(server);
    server.next_layer().close();
  });
  RecordingClient client(Quick());
  client.Connect(Url(peer));
  ASSERT_TRUE(client.WaitEnded());
  EXPECT_EQ(client.opened, 1);
  EXPECT_THAT(client.failure, FailsWith(kUnavailable, "broke off"));
}

TEST(BeastConnectorTest, CloseSendsWhatIsQueuedAndThenTheFrame) {
  std::promise<std::pair<std::string, uint16_t>> seen;
  TcpServer peer([&](tcp::socket socket) {
    Server server(std::move(socket));
    Accept(server);
    std::string all = Read(server);
    all += Read(server);
    const uint16_t code = ReadToEnd(server);
    seen.set_value({all + std::string(server.reason().reason.c_str()), code});
  });
  RecordingClient client(Quick());
  client.Connect(Url(peer));
  ASSERT_TRUE(client.WaitOpened());
  client.Send("a");
  client.Send("b");
  client.Close(1000, "Normal Closure");
  client.Send("not any more");
  ASSERT_TRUE(client.WaitEnded());
  EXPECT_EQ(client.code, 1000);
  EXPECT_EQ(seen.get_future().get(), (std::pair<std::string, uint16_t>("abNormal Closure", 1000)));
}

TEST(BeastConnectorTest, CloseEndsInTimeWhenThePeerSaysNothing) {
  TcpServer peer([](tcp::socket socket) {
    Server server(std::move(socket));
    Accept(server);
    Drain(server.next_layer());
  });
  RecordingClient client(Quick());
  client.Connect(Url(peer));
  ASSERT_TRUE(client.WaitOpened());
  client.Close(1000, "");
  ASSERT_TRUE(client.WaitEnded());
  EXPECT_THAT(client.failure, FailsWith(kDeadline, "close frame"));
}

TEST(BeastConnectorTest, CloseBeforeTheConnectionIsOpenCancelsIt) {
  TcpServer peer([](tcp::socket socket) { Drain(socket); });
  RecordingClient client(Quick());
  client.Connect(Url(peer));
  client.Close(1000, "");
  ASSERT_TRUE(client.WaitEnded());
  EXPECT_EQ(client.failure.code(), absl::StatusCode::kCancelled);
}

TEST(BeastConnectorTest, APeerThatDoesNotReadIsLeft) {
  TcpServer peer([](tcp::socket socket) {
    Server server(std::move(socket));
    Accept(server);
    WaitWithoutReading(server.next_layer());
  });
  RecordingClient client(Quick());
  client.Connect(Url(peer));
  ASSERT_TRUE(client.WaitOpened());
  const std::string large(256 << 10, 'x');
  for (int i = 0; i < 200; ++i) client.Send(large);
  ASSERT_TRUE(client.WaitEnded());
  EXPECT_THAT(client.failure, FailsWith(kExhausted, "does not read"));
}

class RefusedHandshakeTest : public ::testing::TestWithParam<int> {};

TEST_P(RefusedHandshakeTest, SaysTheStatus) {
  TcpServer peer([](tcp::socket socket) {
    ReadHead(socket);
    asio::write(socket, asio::buffer("HTTP/1.1 " + std::to_string(GetParam()) + " No\r\nContent-Length: 2\r\n\r\nno"));
    Drain(socket);
  });
  RecordingClient client(Quick());
  client.Connect(Url(peer));
  ASSERT_TRUE(client.WaitEnded());
  EXPECT_EQ(client.opened, 0);
  EXPECT_THAT(client.failure, FailsWith(kUnavailable, "HTTP " + std::to_string(GetParam())));
}

INSTANTIATE_TEST_SUITE_P(Statuses, RefusedHandshakeTest, ::testing::Values(200, 301, 401, 403, 404, 500, 503),
                         [](const auto& row) { return std::to_string(row.param); });

TEST(BeastConnectorTest, AServerThatDoesNotAgreeToTheSubprotocolIsLeft) {
  for (const char* agreed : {"", "graphql-ws"}) {
    TcpServer peer([agreed](tcp::socket socket) {
      Server server(std::move(socket));
      Accept(server, agreed);
      ReadToEnd(server);
    });
    RecordingClient client(Quick());
    client.Connect(Url(peer));
    ASSERT_TRUE(client.WaitEnded());
    EXPECT_EQ(client.opened, 0);
    EXPECT_THAT(client.failure, FailsWith(kUnavailable, "does not speak"));
  }
}

TEST(BeastConnectorTest, AnAnswerWithoutEndIsCutOff) {
  TcpServer peer([](tcp::socket socket) {
    ReadHead(socket);
    asio::write(socket, asio::buffer(std::string("HTTP/1.1 101 Switching\r\n")));
    const std::string line = "X-Filler: " + std::string(1000, 'x') + "\r\n";
    for (;;) asio::write(socket, asio::buffer(line));
  });
  RecordingClient client(Quick());
  client.Connect(Url(peer));
  ASSERT_TRUE(client.WaitEnded());
  EXPECT_THAT(client.failure, FailsWith(kUnavailable, "handshake failed"));
}

TEST(BeastConnectorTest, ASilentServerEndsAtTheLimit) {
  TcpServer peer([](tcp::socket socket) { Drain(socket); });
  BeastConnector::Settings settings = Quick();
  settings.limits.connect = Millis(200);
  RecordingClient client(settings);
  client.Connect(Url(peer));
  ASSERT_TRUE(client.WaitEnded());
  EXPECT_THAT(client.failure, FailsWith(kDeadline, "did not open within 200 ms"));
}

TEST(BeastConnectorTest, ARefusedConnectionIsUnavailable) {
  std::string url;
  {
    TcpServer gone([](const tcp::socket&) {});
    url = Url(gone);
  }
  RecordingClient client(Quick());
  client.Connect(url);
  ASSERT_TRUE(client.WaitEnded());
  EXPECT_THAT(client.failure, FailsWith(kUnavailable, "cannot connect"));
}

TEST(BeastConnectorTest, AddressesAreTriedInTurn) {
  // "localhost" is ::1 first where the machine has IPv6; the server has 127.0.0.1 only.
  TcpServer peer([](tcp::socket socket) {
    Server server(std::move(socket));
    Accept(server);
    ReadToEnd(server);
  });
  RecordingClient client(Quick());
  client.Connect("ws://localhost:" + peer.port() + "/graphql");
  EXPECT_TRUE(client.WaitOpened()) << client.failure;
}

TEST(BeastConnectorTest, ANameThatIsNoneIsUnavailable) {
  RecordingClient client(Quick());
  client.Connect("ws://two..dots/");
  ASSERT_TRUE(client.WaitEnded());
  EXPECT_THAT(client.failure, FailsWith(kUnavailable, "cannot resolve two..dots"));
}

TEST(BeastConnectorTest, AUrlThatIsNoneFailsLikeAnyConnection) {
  RecordingClient client(Quick());
  client.Connect("http://127.0.0.1/");
  ASSERT_TRUE(client.WaitEnded());
  EXPECT_THAT(client.failure, FailsWith(absl::StatusCode::kInvalidArgument, "ws:// or wss://"));
}

/// Where the owner drops the connection.
class DropTest : public ::testing::Test {
 protected:
  /// The peer says a few words and waits for the client to go; true when it went.
  bool PeerSeesTheEnd(RecordingClient& client) {
    std::promise<void> ended;
    TcpServer peer([&](tcp::socket socket) {
      Server server(std::move(socket));
      Accept(server);
      beast::error_code error;
      server.write(asio::buffer(std::string("one")), error);
      server.write(asio::buffer(std::string("two")), error);
      Drain(server.next_layer());
      ended.set_value();
    });
    client.Connect(Url(peer));
    return ended.get_future().wait_for(std::chrono::seconds(20)) == std::future_status::ready;
  }
};

TEST_F(DropTest, InsideOnOpened) {
  RecordingClient client(Quick());
  client.drop_when_opened = true;
  EXPECT_TRUE(PeerSeesTheEnd(client));
  client.OnIo([] {});
  EXPECT_TRUE(client.messages.empty());
  EXPECT_EQ(client.ends, 0);
}

TEST_F(DropTest, InsideOnMessage) {
  RecordingClient client(Quick());
  client.drop_when_message = true;
  EXPECT_TRUE(PeerSeesTheEnd(client));
  client.OnIo([] {});
  EXPECT_EQ(client.messages.size(), 1U);
  EXPECT_EQ(client.ends, 0);
}

TEST_F(DropTest, InsideTheEnd) {
  TcpServer peer([](tcp::socket socket) {
    Server server(std::move(socket));
    Accept(server);
    server.close(websocket::close_code::normal);
  });
  RecordingClient client(Quick());
  client.drop_when_ended = true;
  client.Connect(Url(peer));
  ASSERT_TRUE(client.WaitEnded());
  EXPECT_EQ(client.ends, 1);
}

TEST_F(DropTest, WhileConnecting) {
  std::promise<void> accepted;
  std::promise<void> gone;
  TcpServer peer([&](tcp::socket socket) {
    accepted.set_value();
    Drain(socket);
    gone.set_value();
  });
  RecordingClient client(Quick());
  client.Connect(Url(peer));
  accepted.get_future().wait();
  client.Drop();
  EXPECT_EQ(gone.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_EQ(client.ends, 0);
}

TEST_F(DropTest, RightAfterItBegan) {
  TcpServer peer([](tcp::socket socket) { Drain(socket); });
  RecordingClient client(Quick());
  for (int i = 0; i < 100; ++i) {
    client.Connect(Url(peer));
    client.Drop();
  }
  EXPECT_EQ(client.ends, 0);
}

TEST_F(DropTest, AnExceptionOfTheOwnersEndsTheConnectionOnly) {
  RecordingClient client(Quick());
  client.throw_when_opened = true;
  EXPECT_TRUE(PeerSeesTheEnd(client));
  ASSERT_TRUE(client.WaitEnded());
  EXPECT_EQ(client.failure.code(), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace sidecar
