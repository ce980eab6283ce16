#include "adapters/websocket/beast_connector.h"

#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/beast/core/bind_handler.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/stream_traits.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <optional>
#include <type_traits>
#include <utility>

#include "adapters/net/tls_client.h"
#include "adapters/websocket/connection.h"
#include "text/text.h"

namespace sidecar {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;
using asio::ip::tcp;

/// A socket that Beast leaves as soon as it has sent its close frame. By itself it would wait,
/// without a limit, until the peer has closed the socket (and in TLS, said goodbye).
class TcpStream : public tcp::socket {
 public:
  explicit TcpStream(tcp::socket socket) : tcp::socket(std::move(socket)) {}
};
using TlsStream = beast::ssl_stream<TcpStream>;

// Found by Beast, by the type of its stream ("teardown" in its documentation).
template <typename Handler>
void LeaveAtOnce(TcpStream& socket, Handler&& handler) {
  beast::error_code ignored;
  socket.shutdown(tcp::socket::shutdown_send, ignored);
  asio::post(socket.get_executor(), beast::bind_front_handler(std::forward<Handler>(handler), beast::error_code()));
}
template <typename Handler>
void async_teardown(beast::role_type /*role*/, TcpStream& stream, Handler&& handler) {
  LeaveAtOnce(stream, std::forward<Handler>(handler));
}
template <typename Handler>
void async_teardown(beast::role_type /*role*/, TlsStream& stream, Handler&& handler) {
  LeaveAtOnce(stream.next_layer(), std::forward<Handler>(handler));
}

namespace {

/// Memory of one large message is given back above this.
constexpr size_t kBufferKeptMax = 256 << 10;

/// The close code that stands for "the frame carried none" (RFC 6455, 7.1.5).
constexpr uint16_t kNoCode = 1005;

template <typename Next>
class StreamConnection : public Connection {
 public:
  using Connection::Connection;

 private:
  static constexpr bool kTls = std::is_same_v<Next, TlsStream>;
  using Error = beast::error_code;

  std::shared_ptr<StreamConnection> Self() { return std::static_pointer_cast<StreamConnection>(shared_from_this()); }

  void Handshake(Socket socket) override {
    if constexpr (kTls) {
      if (const absl::Status prepared = PrepareTls(std::move(socket)); !prepared.ok()) return Fail(prepared);
      stream_->next_layer().async_handshake(asio::ssl::stream_base::client, [self = Self()](const Error& error) {
        if (self->ended()) return;
        if (error) {
          SSL* const ssl = self->stream_->next_layer().native_handle();
          return self->Fail(TlsFailure(ssl, self->options_.endpoint.host, error));
        }
        self->Upgrade();
      });
    } else {
      stream_.emplace(TcpStream(std::move(socket)));
      Upgrade();
    }
  }

  absl::Status PrepareTls(Socket socket) {
    tls_.emplace(asio::ssl::context::tls_client);
    if (absl::Status status = TrustAuthorities(*tls_, options_.extra_ca_file, "EXTRA_CA_FILE"); !status.ok()) {
      return status;
    }
    stream_.emplace(TcpStream(std::move(socket)), *tls_);
    return ExpectHost(stream_->next_layer().native_handle(), options_.endpoint.host);
  }

  void Upgrade() {
    stream_->set_option(websocket::stream_base::decorator([this](websocket::request_type& request) {
      request.set(http::field::sec_websocket_protocol, options_.subprotocol);
      if (!options_.user_agent.empty()) request.set(http::field::user_agent, options_.user_agent);
    }));
    stream_->read_message_max(options_.limits.message_bytes_max);
    stream_->async_handshake(answer_, options_.endpoint.Authority(), options_.endpoint.target,
                             [self = Self()](const Error& error) { self->OnUpgraded(error); });
  }

  void OnUpgraded(const Error& error) {
    if (ended()) return;
    if (error == websocket::error::upgrade_declined) {
      return Fail(Unavailable("the WebSocket handshake was answered with HTTP ", answer_.result_int()));
    }
    if (error) return Fail(Unavailable("the WebSocket handshake failed: ", error.message()));
    const beast::string_view agreed = answer_[http::field::sec_websocket_protocol];
    if (std::string_view(agreed.data(), agreed.size()) != options_.subprotocol) {
      return Fail(Unavailable("the peer does not speak ", options_.subprotocol));
    }
    answer_ = {};
    stream_->text(true);
    Opened();
    if (!ended()) ReadNext();
  }

  void ReadNext() {
    stream_->async_read(buffer_, [self = Self()](const Error& error, size_t) {
      if (self->ended()) return;
      if (error) return self->OnBroken(error);
      const auto bytes = self->buffer_.cdata();
      self->Received({static_cast<const char*>(bytes.data()), bytes.size()});
      self->buffer_.clear();
      if (self->buffer_.capacity() > kBufferKeptMax) self->buffer_.shrink_to_fit();
      if (!self->ended()) self->ReadNext();
    });
  }

  /// The stream is over: by a close frame of the peer's, or otherwise.
  void OnBroken(const Error& error) {
    const websocket::close_reason reason = stream_->reason();
    if (error == websocket::error::closed || reason.code != websocket::close_code::none) {
      const uint16_t code = reason.code == websocket::close_code::none ? kNoCode : reason.code;
      return Closed(code, {reason.reason.data(), reason.reason.size()});
    }
    if (error == websocket::error::message_too_big || error == websocket::error::buffer_overflow) {
      return Fail(absl::ResourceExhaustedError(
          StrCat("a message is larger than ", options_.limits.message_bytes_max, " bytes")));
    }
    Fail(Unavailable("the connection broke off: ", error.message()));
  }

  void WriteMessage(const std::string& text) override {
    stream_->async_write(asio::buffer(text), [self = Self()](const Error& error, size_t) {
      if (self->ended()) return;
      if (error) return self->WriteFailed();
      self->Wrote();
    });
  }

  void WriteClose(uint16_t code, const std::string& reason) override {
    const websocket::close_reason frame(static_cast<websocket::close_code>(code), reason);
    stream_->async_close(frame, [self = Self()](const Error& error) {
      if (!self->ended()) self->OnBroken(error ? error : Error(websocket::error::closed));
    });
  }

  void Drop() override {
    if (!stream_.has_value()) return;
    Error ignored;
    beast::get_lowest_layer(*stream_).close(ignored);
  }

  std::optional<asio::ssl::context> tls_;
  std::optional<websocket::stream<Next>> stream_;
  websocket::response_type answer_;
  beast::flat_buffer buffer_;
};

using PlainConnection = StreamConnection<TcpStream>;
using TlsConnection = StreamConnection<TlsStream>;

class BeastWebSocket : public WebSocket {
 public:
  explicit BeastWebSocket(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}
  // Closing a socket may throw in theory; then the process ends, as for any destructor.
  ~BeastWebSocket() override { connection_->Abandon(); }  // NOLINT(bugprone-exception-escape)

  void Send(std::string text) override { connection_->Send(std::move(text)); }
  void Close(uint16_t code, std::string_view reason) override { connection_->Close(code, reason); }

 private:
  const std::shared_ptr<Connection> connection_;
};

}  // namespace

std::unique_ptr<WebSocket> BeastConnector::Connect(const std::string& url, const std::string& subprotocol,
                                                   WebSocketEvents& events) {
  Connection::Options options{.subprotocol = subprotocol,
                              .user_agent = settings_.user_agent,
                              .extra_ca_file = settings_.extra_ca_file,
                              .limits = settings_.limits};
  absl::Status usable;
  if (absl::StatusOr<WebSocketEndpoint> endpoint = ParseWebSocketUrl(url); endpoint.ok()) {
    options.endpoint = *std::move(endpoint);
  } else {
    usable = endpoint.status();
  }
  const std::string proxy_url = ProxyFor(settings_.proxy, options.endpoint.tls ? "wss" : "ws", options.endpoint.host);
  if (!proxy_url.empty()) {
    absl::StatusOr<HttpProxy> proxy = ParseProxyUrl(proxy_url);
    usable.Update(proxy.status());
    if (proxy.ok()) options.proxy = *std::move(proxy);
  }
  std::shared_ptr<Connection> connection;
  if (options.endpoint.tls) {
    connection = std::make_shared<TlsConnection>(context_, std::move(options), events);
  } else {
    connection = std::make_shared<PlainConnection>(context_, std::move(options), events);
  }
  if (usable.ok()) {
    connection->Start();
  } else {
    connection->StartFailed(usable);
  }
  return std::make_unique<BeastWebSocket>(std::move(connection));
}

}  // namespace sidecar
