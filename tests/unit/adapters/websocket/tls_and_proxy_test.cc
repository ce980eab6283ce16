// wss://, and the way through a proxy, against real sockets.
#include <gtest/gtest.h>

#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <future>

#include "adapters/websocket/beast_connector.h"
#include "support/certificate.h"
#include "support/status_matchers.h"
#include "support/tcp_server.h"
#include "support/websocket_recorder.h"

namespace sidecar {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;
using asio::ip::tcp;
using testing::Certificate;
using testing::FailsWith;
using testing::RecordingClient;
using testing::TcpServer;

using testing::kUnavailable;

/// Agrees to the subprotocol, and then sends every message back.
template <typename Stream>
void Echo(Stream& server) {
  server.set_option(websocket::stream_base::decorator([](websocket::response_type& response) {
    response.set(beast::http::field::sec_websocket_protocol, "graphql-transport-ws");
  }));
  server.accept();
  for (;;) {
    beast::flat_buffer buffer;
    server.read(buffer);
    server.write(buffer.data());
  }
}

/// The server's side of TLS with a certificate, then Echo.
struct TlsEcho {
  explicit TlsEcho(const Certificate& certificate) {
    context.use_certificate_file(certificate.certificate_file(), asio::ssl::context::pem);
    context.use_private_key_file(certificate.key_file(), asio::ssl::context::pem);
  }

  void operator()(tcp::socket socket) {
    websocket::stream<beast::ssl_stream<tcp::socket>> server(std::move(socket), context);
    server.next_layer().handshake(asio::ssl::stream_base::server);
    const char* const name = SSL_get_servername(server.next_layer().native_handle(), TLSEXT_NAMETYPE_host_name);
    server_name.set_value(name == nullptr ? "" : name);
    Echo(server);
  }

  asio::ssl::context context{asio::ssl::context::tls_server};
  std::promise<std::string> server_name;
};

BeastConnector::Settings Trusting(const std::string& ca_file) {
  return {.extra_ca_file = ca_file, .limits = {.connect = Millis(20'000), .close = Millis(300)}};
}

TEST(TlsWebSocketTest, ExchangesMessagesAndSendsTheServersName) {
  const Certificate certificate("DNS:localhost");
  TlsEcho echo(certificate);
  TcpServer peer([&](tcp::socket socket) { echo(std::move(socket)); });
  RecordingClient client(Trusting(certificate.certificate_file()));
  client.Connect("wss://localhost:" + peer.port() + "/graphql");
  ASSERT_TRUE(client.WaitOpened()) << client.failure;
  EXPECT_EQ(echo.server_name.get_future().get(), "localhost");
  const std::string large(1 << 20, 'x');
  client.Send(large.substr(1 << 19));
  ASSERT_TRUE(client.WaitMessages(1));
  EXPECT_EQ(client.messages[0].size(), 1U << 19);
  client.Close(1000, "Normal Closure");
  ASSERT_TRUE(client.WaitEnded());
  EXPECT_EQ(client.code, 1000);
}

TEST(TlsWebSocketTest, AnAddressIsComparedWithTheCertificatesAddresses) {
  const Certificate certificate("IP:127.0.0.1");
  TlsEcho echo(certificate);
  TcpServer peer([&](tcp::socket socket) { echo(std::move(socket)); });
  RecordingClient client(Trusting(certificate.certificate_file()));
  client.Connect("wss://127.0.0.1:" + peer.port() + "/graphql");
  ASSERT_TRUE(client.WaitOpened()) << client.failure;
  EXPECT_EQ(echo.server_name.get_future().get(), "") << "an address is no server name";
}

TEST(TlsWebSocketTest, ACertificateForAnotherAddressIsRefused) {
  const Certificate certificate("IP:127.0.0.2,DNS:127.0.0.1");
  TlsEcho echo(certificate);
  TcpServer peer([&](tcp::socket socket) { echo(std::move(socket)); });
  RecordingClient client(Trusting(certificate.certificate_file()));
  client.Connect("wss://127.0.0.1:" + peer.port() + "/graphql");
  ASSERT_TRUE(client.WaitEnded());
  EXPECT_THAT(client.failure, FailsWith(kUnavailable, "certificate"));
}

TEST(TlsWebSocketTest, ACertificateForAnotherHostIsRefused) {
  const Certificate certificate("DNS:upstream.test");
  TlsEcho echo(certificate);
  TcpServer peer([&](tcp::socket socket) { echo(std::move(socket)); });
  RecordingClient client(Trusting(certificate.certificate_file()));
  client.Connect("wss://localhost:" + peer.port() + "/graphql");
  ASSERT_TRUE(client.WaitEnded());
  EXPECT_EQ(client.opened, 0);
  EXPECT_THAT(client.failure, FailsWith(kUnavailable, "certificate of localhost is refused"));
}

TEST(TlsWebSocketTest, ACertificateThatNobodyTrustsIsRefused) {
  const Certificate certificate("DNS:localhost");
  TlsEcho echo(certificate);
  TcpServer peer([&](tcp::socket socket) { echo(std::move(socket)); });
  RecordingClient client(Trusting(""));
  client.Connect("wss://localhost:" + peer.port() + "/graphql");
  ASSERT_TRUE(client.WaitEnded());
  EXPECT_THAT(client.failure, FailsWith(kUnavailable, "certificate of localhost is refused"));
}

TEST(TlsWebSocketTest, TlsOlderThanOneTwoIsRefused) {
  const Certificate certificate("DNS:localhost");
  TlsEcho echo(certificate);
  SSL_CTX_set_security_level(echo.context.native_handle(), 0);
  SSL_CTX_set_min_proto_version(echo.context.native_handle(), TLS1_VERSION);
  SSL_CTX_set_max_proto_version(echo.context.native_handle(), TLS1_1_VERSION);
  TcpServer peer([&](tcp::socket socket) { echo(std::move(socket)); });
  RecordingClient client(Trusting(certificate.certificate_file()));
  client.Connect("wss://localhost:" + peer.port() + "/graphql");
  ASSERT_TRUE(client.WaitEnded());
  EXPECT_THAT(client.failure, FailsWith(kUnavailable, "TLS with localhost failed"));
}

TEST(TlsWebSocketTest, AServerWithoutTlsIsRefused) {
  TcpServer peer([](tcp::socket socket) {
    asio::write(socket, asio::buffer(std::string("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")));
    char bytes[4096];
    for (;;) socket.read_some(asio::buffer(bytes));
  });
  RecordingClient client(Trusting(""));
  client.Connect("wss://localhost:" + peer.port() + "/graphql");
  ASSERT_TRUE(client.WaitEnded());
  EXPECT_THAT(client.failure, FailsWith(kUnavailable, "TLS with localhost failed"));
}

TEST(TlsWebSocketTest, ACaFileThatIsGoneFailsTheConnection) {
  TcpServer peer([](tcp::socket socket) {
    char bytes[4096];
    for (;;) socket.read_some(asio::buffer(bytes));
  });
  RecordingClient client(Trusting("/nowhere/ca.pem"));
  client.Connect("wss://localhost:" + peer.port() + "/graphql");
  ASSERT_TRUE(client.WaitEnded());
  EXPECT_THAT(client.failure, FailsWith(kUnavailable, "EXTRA_CA_FILE /nowhere/ca.pem"));
}

TEST(TlsWebSocketTest, AConnectionThatBreaksOffInsideTlsIsUnavailable) {
  const Certificate certificate("DNS:localhost");
  TlsEcho echo(certificate);
  TcpServer peer([&](tcp::socket socket) {
    websocket::stream<beast::ssl_stream<tcp::socket>> server(std::move(socket), echo.context);
    server.next_layer().handshake(asio::ssl::stream_base::server);
    server.set_option(websocket::stream_base::decorator([](websocket::response_type& response) {
      response.set(beast::http::field::sec_websocket_protocol, "graphql-transport-ws");
    }));
    server.accept();
    beast::get_lowest_layer(server).close();  // no close frame, no close_notify
  });
  RecordingClient client(Trusting(certificate.certificate_file()));
  client.Connect("wss://localhost:" + peer.port() + "/graphql");
  ASSERT_TRUE(client.WaitEnded());
  EXPECT_EQ(client.opened, 1);
  EXPECT_THAT(client.failure, FailsWith(kUnavailable, "broke off"));
}

/// A proxy that answers CONNECT, and then is the server itself.
class Proxy {
 public:
  Proxy(std::string answer, std::function<void(tcp::socket)> behind)
      : server_([this, answer, behind](tcp::socket socket) {
          std::string head;
          asio::read_until(socket, asio::dynamic_buffer(head), "\r\n\r\n");
          head_.set_value(head);
          asio::write(socket, asio::buffer(answer));
          behind(std::move(socket));
        }) {}

  ProxySettings Settings(const std::string& user_info = "") const {
    const std::string url = "http://" + user_info + "127.0.0.1:" + server_.port();
    return {.https_proxy = url, .http_proxy = url};
  }
  std::string Head() { return head_.get_future().get(); }

 private:
  std::promise<std::string> head_;
  TcpServer server_;
};

constexpr const char* kEstablished = "HTTP/1.1 200 Connection established\r\n\r\n";

void PlainEcho(tcp::socket socket) {
  websocket::stream<tcp::socket> server(std::move(socket));
  Echo(server);
}

void Hold(tcp::socket socket) {
  char bytes[4096];
  for (;;) socket.read_some(asio::buffer(bytes));
}

TEST(ProxyWebSocketTest, APlainConnectionGoesThroughATunnel) {
  Proxy proxy(kEstablished, PlainEcho);
  RecordingClient client({.proxy = proxy.Settings()});
  client.Connect("ws://upstream.test/graphql");
  const std::string head = proxy.Head();
  EXPECT_TRUE(head.starts_with("CONNECT upstream.test:80 HTTP/1.1\r\n")) << head;
  EXPECT_NE(head.find("Host: upstream.test:80\r\n"), std::string::npos) << head;
  EXPECT_EQ(head.find("Proxy-Authorization"), std::string::npos) << head;
  ASSERT_TRUE(client.WaitOpened()) << client.failure;
  client.Send("hello");
  EXPECT_TRUE(client.WaitMessages(1));
}

TEST(ProxyWebSocketTest, CredentialsOfTheProxysUrlAreSent) {
  Proxy proxy(kEstablished, PlainEcho);
  RecordingClient client({.proxy = proxy.Settings("user:s%3Acret@")});
  client.Connect("ws://upstream.test:8080/graphql");
  const std::string head = proxy.Head();
  EXPECT_TRUE(head.starts_with("CONNECT upstream.test:8080 HTTP/1.1\r\n")) << head;
  EXPECT_NE(head.find("Proxy-Authorization: Basic dXNlcjpzOmNyZXQ=\r\n"), std::string::npos) << head;
  EXPECT_TRUE(client.WaitOpened()) << client.failure;
}

TEST(ProxyWebSocketTest, TlsIsSpokenThroughTheTunnelWithTheServersName) {
  const Certificate certificate("DNS:upstream.test");
  TlsEcho echo(certificate);
  Proxy proxy(kEstablished, [&](tcp::socket socket) { echo(std::move(socket)); });
  RecordingClient client({.proxy = proxy.Settings(), .extra_ca_file = certificate.certificate_file()});
  client.Connect("wss://upstream.test/graphql");
  EXPECT_TRUE(proxy.Head().starts_with("CONNECT upstream.test:443 HTTP/1.1\r\n"));
  ASSERT_TRUE(client.WaitOpened()) << client.failure;
  EXPECT_EQ(echo.server_name.get_future().get(), "upstream.test");
}

TEST(ProxyWebSocketTest, ACertificateForAnotherHostIsRefusedBehindAProxyToo) {
  const Certificate certificate("DNS:other.test,DNS:*.upstream.test");
  TlsEcho echo(certificate);
  Proxy proxy(kEstablished, [&](tcp::socket socket) { echo(std::move(socket)); });
  RecordingClient client({.proxy = proxy.Settings(), .extra_ca_file = certificate.certificate_file()});
  client.Connect("wss://upstream.test/graphql");
  ASSERT_TRUE(client.WaitEnded());
  EXPECT_THAT(client.failure, FailsWith(kUnavailable, "certificate of upstream.test is refused"));
}

TEST(ProxyWebSocketTest, ARefusalOfTheProxysIsToldAsSuch) {
  Proxy proxy("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno", Hold);
  RecordingClient client({.proxy = proxy.Settings("user:secret@")});
  client.Connect("wss://upstream.test/graphql");
  ASSERT_TRUE(client.WaitEnded());
  EXPECT_THAT(client.failure, FailsWith(kUnavailable, "answered HTTP 407 to CONNECT"));
  EXPECT_EQ(client.failure.ToString().find("secret"), std::string::npos);
}

TEST(ProxyWebSocketTest, AProxyThatBreaksOffIsUnavailable) {
  Proxy proxy("", [](tcp::socket socket) { socket.close(); });
  RecordingClient client({.proxy = proxy.Settings()});
  client.Connect("wss://upstream.test/graphql");
  ASSERT_TRUE(client.WaitEnded());
  EXPECT_THAT(client.failure, FailsWith(kUnavailable, "broke off"));
}

TEST(ProxyWebSocketTest, AProxyThatSpeaksForTheServerIsRefused) {
  Proxy proxy(std::string(kEstablished) + "HTTP/1.1 101 Switching Protocols\r\n\r\n", Hold);
  RecordingClient client({.proxy = proxy.Settings()});
  client.Connect("ws://upstream.test/graphql");
  ASSERT_TRUE(client.WaitEnded());
  EXPECT_EQ(client.opened, 0);
}

TEST(ProxyWebSocketTest, ASilentProxyEndsAtTheLimit) {
  Proxy proxy("", Hold);
  RecordingClient client({.proxy = proxy.Settings(), .limits = {.connect = Millis(200)}});
  client.Connect("wss://upstream.test/graphql");
  ASSERT_TRUE(client.WaitEnded());
  EXPECT_EQ(client.failure.code(), absl::StatusCode::kDeadlineExceeded);
}

TEST(ProxyWebSocketTest, LoopbackAndExceptionsGoDirectly) {
  TcpServer peer(PlainEcho);
  RecordingClient client({.proxy = {.https_proxy = "http://127.0.0.1:1", .http_proxy = "http://127.0.0.1:1"}});
  client.Connect("ws://127.0.0.1:" + peer.port() + "/graphql");
  EXPECT_TRUE(client.WaitOpened()) << client.failure;
}

TEST(ProxyWebSocketTest, AProxyUrlThatIsNoneFailsWithoutQuotingIt) {
  RecordingClient client({.proxy = {.http_proxy = "socks5://user:secret@proxy:1080"}});
  client.Connect("ws://upstream.test/graphql");
  ASSERT_TRUE(client.WaitEnded());
  EXPECT_THAT(client.failure, FailsWith(absl::StatusCode::kInvalidArgument, "proxy"));
  EXPECT_EQ(client.failure.ToString().find("secret"), std::string::npos);
}

}  // namespace
}  // namespace sidecar
