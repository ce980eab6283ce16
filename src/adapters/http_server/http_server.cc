#include "adapters/http_server/http_server.h"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/version.hpp>
#include <list>
#include <optional>

#include "text/text.h"

namespace sidecar {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;

namespace {

/// A listener of both families sees callers of IPv4 as mapped addresses.
bool IsLoopback(const asio::ip::address& address) {
  if (address.is_v4() || !address.to_v6().is_v4_mapped()) return address.is_loopback();
  return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).is_loopback();
}

}  // namespace

struct HttpServer::Shared {
  asio::io_context& context;
  const ServerHandler handler;
  const Limits limits;
  size_t connections = 0;         // io thread only
  std::list<Connection*> idle{};  // that await a request, the longest waiting first; io thread only
};

/// One connection; keeps itself alive through the operations under way.
class HttpServer::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<Shared> shared, tcp::socket socket, std::string_view already_read)
      : shared_(std::move(shared)), stream_(std::move(socket)) {
    ++shared_->connections;
    const auto target = buffer_.prepare(already_read.size());
    asio::buffer_copy(target, asio::buffer(already_read.data(), already_read.size()));
    buffer_.commit(already_read.size());
  }
  ~Connection() {
    LeaveIdle();
    --shared_->connections;
  }

  void ReadNext() {
    idle_place_ = shared_->idle.insert(shared_->idle.end(), this);
    parser_.emplace();
    parser_->header_limit(8 << 10);
    parser_->body_limit(shared_->limits.body_bytes_max);
    stream_.expires_after(shared_->limits.idle);
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](beast::error_code error, size_t) { self->OnRead(error); });
  }

  /// Ends an idle connection, for another to be served.
  void MakeWay() {
    LeaveIdle();
    beast::error_code ignored;
    stream_.socket().close(ignored);  // ends the read, and with it this
  }

 private:
  void LeaveIdle() {
    if (idle_place_.has_value()) shared_->idle.erase(*idle_place_);
    idle_place_.reset();
  }

  void OnRead(const beast::error_code& error) {
    if (!idle_place_.has_value()) return;  // made way while its request arrived
    LeaveIdle();
    if (error == http::error::body_limit || error == http::error::header_limit) {
      keep_alive_ = false;
      return Write({.status = error == http::error::body_limit ? 413 : 431, .content_type = "text/plain"});
    }
    if (error) return;  // closed, idle for too long, or not HTTP
    stream_.expires_never();
    http::request<http::string_body> message = parser_->release();
    keep_alive_ = message.keep_alive();
    head_only_ = message.method() == http::verb::head;
    ServerRequest request{.method = std::string(message.method_string()), .body = std::move(message.body())};
    const std::string target(message.target());
    const size_t question = target.find('?');
    request.path = target.substr(0, question);
    if (question != std::string::npos) request.query = target.substr(question + 1);
    beast::error_code unknown;
    const tcp::endpoint peer = stream_.socket().remote_endpoint(unknown);
    request.from_loopback = !unknown && IsLoopback(peer.address());
    for (const auto& field : message) request.headers.emplace_back(field.name_string(), field.value());
    shared_->handler(std::move(request), [self = shared_from_this()](ServerResponse response) mutable {
      asio::dispatch(self->shared_->context,
                     [self, response = std::move(response)]() mutable { self->Write(std::move(response)); });
    });
  }

  void Write(ServerResponse response) {
    using Fault = ServerResponse::Fault;
    if (response.take_over != nullptr) {
      if (buffer_.size() != 0) return Close();
      return std::move(response.take_over)(stream_.release_socket());
    }
    if (response.fault == Fault::kSilence) return HoldOpen();
    if (response.fault == Fault::kClose) return Close();
    if (response.fault == Fault::kReset) {
      beast::error_code ignored;
      stream_.socket().set_option(asio::socket_base::linger(true, 0), ignored);
      stream_.socket().close(ignored);
      return;
    }
    response_.emplace(static_cast<http::status>(response.status), 11);
    response_->set(http::field::content_type, response.content_type);
    for (const auto& [name, value] : response.headers) response_->set(name, value);
    const size_t full_size = response.body.size();
    if (!head_only_) response_->body() = std::move(response.body);
    if (response.fault == Fault::kHalfBody) {
      response_->body().resize(full_size / 2);
      keep_alive_ = false;
    }
    response_->content_length(full_size);
    response_->keep_alive(keep_alive_);
    stream_.expires_after(shared_->limits.idle);
    http::async_write(stream_, *response_, [self = shared_from_this()](beast::error_code error, size_t) {
      self->response_.reset();
      if (error || !self->keep_alive_) return self->Close();
      self->ReadNext();
    });
  }

  void Close() {
    beast::error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    stream_.socket().close(ignored);
  }

  /// Answers nothing until the peer gives up.
  void HoldOpen() {
    stream_.expires_never();
    stream_.socket().async_wait(tcp::socket::wait_read, [self = shared_from_this()](beast::error_code) {});
  }

  const std::shared_ptr<Shared> shared_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_{64 << 10};
  std::optional<http::request_parser<http::string_body>> parser_;
  std::optional<http::response<http::string_body>> response_;
  std::optional<std::list<Connection*>::iterator> idle_place_;
  bool keep_alive_ = true;
  bool head_only_ = false;
};

HttpServer::HttpServer(asio::io_context& context, ServerHandler handler, const Limits& limits)
    : shared_(new Shared{.context = context, .handler = std::move(handler), .limits = limits}) {}

HttpServer::~HttpServer() = default;

void HttpServer::Serve(tcp::socket socket, std::string_view already_read) {
  if (shared_->connections >= shared_->limits.connections_max) {
    if (shared_->idle.empty()) return;
    shared_->idle.front()->MakeWay();
  }
  std::make_shared<Connection>(shared_, std::move(socket), already_read)->ReadNext();
}

std::string_view ServerRequest::Header(std::string_view name) const {
  for (const auto& [known, value] : headers) {
    if (EqualsIgnoreCase(known, name)) return value;
  }
  return "";
}

std::string PercentDecode(std::string_view text) {
  const auto hex = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
      out.push_back(static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2])));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

std::string QueryValue(std::string_view query, std::string_view name) {
  for (const std::string_view pair : Split(query, '&')) {
    const size_t equals = pair.find('=');
    if (pair.substr(0, equals) == name) {
      return equals == std::string_view::npos ? "" : PercentDecode(pair.substr(equals + 1));
    }
  }
  return "";
}

}  // namespace sidecar
