// What speaks to a DevUpstream in its tests: HTTP requests and a WebSocket, over loopback. Every
// wait ends after kPatience.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <chrono>
#include <optional>
#include <string>

#include "adapters/json/json.h"
#include "text/text.h"

namespace sidecar::dev {

inline constexpr std::chrono::seconds kPatience{20};

inline boost::asio::ip::tcp::endpoint Loopback(uint16_t port) {
  return {boost::asio::ip::address_v4::loopback(), port};
}

struct HttpAnswer {
  int status = 0;  // 0: there was none
  Json body;
  std::string retry_after;
};

/// One HTTP exchange on a connection of its own.
inline HttpAnswer Exchange(uint16_t port, boost::beast::http::verb method, const std::string& target,
                           const std::string& body = "") {
  namespace beast = boost::beast;
  boost::asio::io_context context;
  beast::tcp_stream stream(context);
  stream.expires_after(kPatience);
  beast::http::request<beast::http::string_body> request(method, target, 11, body);
  request.set(beast::http::field::host, "dev");
  request.prepare_payload();
  beast::http::response<beast::http::string_body> response;
  beast::flat_buffer buffer;
  HttpAnswer answer;
  stream.async_connect(Loopback(port), [&](beast::error_code failed) {
    if (failed) return;
    beast::http::async_write(stream, request, [&](beast::error_code write_failed, size_t) {
      if (write_failed) return;
      beast::http::async_read(stream, buffer, response, [&](beast::error_code read_failed, size_t) {
        if (read_failed) return;
        answer.status = static_cast<int>(response.result_int());
        answer.retry_after = std::string(response[beast::http::field::retry_after]);
        const absl::StatusOr<Json> json = ParseJson(response.body());
        if (json.ok()) answer.body = *json;
      });
    });
  });
  context.run();
  return answer;
}

/// A graphql-transport-ws client that does what it is told and nothing by itself.
class WsClient {
 public:
  /// Connects; `upgrade_status` is 101 when that worked.
  explicit WsClient(uint16_t port, const std::string& protocol = "graphql-transport-ws",
                    const std::string& path = "/graphql") {
    namespace beast = boost::beast;
    socket_.set_option(beast::websocket::stream_base::decorator([protocol](beast::websocket::request_type& request) {
      if (!protocol.empty()) request.set(beast::http::field::sec_websocket_protocol, protocol);
    }));
    beast::get_lowest_layer(socket_).async_connect(Loopback(port), [this, path](beast::error_code failed) {
      ASSERT_FALSE(failed) << failed.message();
      socket_.async_handshake(response_, "dev", path, [](beast::error_code) {});
    });
    Run();
  }

  int upgrade_status() const { return static_cast<int>(response_.result_int()); }
  std::string protocol() const { return std::string(response_[boost::beast::http::field::sec_websocket_protocol]); }

  void Send(const std::string& text) {
    socket_.async_write(boost::asio::buffer(text), [](boost::beast::error_code, size_t) {});
    Run();
  }

  /// The next message as text; nullopt when the server closed, or said nothing for `patience`.
  std::optional<std::string> ReadText(std::chrono::milliseconds patience = kPatience) {
    std::optional<std::string> text;
    boost::beast::flat_buffer buffer;
    socket_.async_read(buffer, [&](boost::beast::error_code error, size_t) {
      if (!error) text = boost::beast::buffers_to_string(buffer.data());
      closed_ = closed_ || (error && error != boost::asio::error::operation_aborted);
    });
    Run(patience);
    return text;
  }

  Json Read() {
    const std::optional<std::string> text = ReadText();
    if (!text.has_value()) return "nothing was read";
    const absl::StatusOr<Json> json = ParseJson(*text);
    return json.ok() ? *json : Json(StrCat("not JSON: ", *text));
  }

  /// connection_init with a key, and the acknowledgement.
  void Init() {
    Send(R"({"type":"connection_init","payload":{"headers":{"X-API-KEY":"key"}}})");
    ASSERT_EQ(Read()["type"], "connection_ack");
  }

  void Subscribe(const std::string& id, const std::string& root_field) {
    Send(StrCat(R"({"id":")", id, R"(","type":"subscribe","payload":{"operationName":"S","query":"subscription S { )",
                root_field, R"( { __typename } }"}})"));
    Ping();  // subscriptions are not acknowledged: its pong says that this one was taken
  }

  void Ping() {
    Send(R"({"type":"ping"})");
    ASSERT_EQ(Read(), (Json{{"type", "pong"}}));
  }

  bool closed() const { return closed_; }
  /// Reads until the server closes; its code, or 0 when the socket just ended.
  int ReadClose() {
    while (ReadText().has_value()) continue;
    return closed_ ? socket_.reason().code : -1;
  }
  std::string close_reason() const { return std::string(socket_.reason().reason.c_str()); }

 private:
  void Run(std::chrono::milliseconds patience = kPatience) {
    context_.restart();
    context_.run_for(patience);
    if (context_.stopped()) return;
    // An operation is still under way: its buffers are the caller's.
    boost::beast::get_lowest_layer(socket_).cancel();
    context_.restart();
    context_.run();
  }

  boost::asio::io_context context_;
  boost::beast::websocket::stream<boost::beast::tcp_stream> socket_{context_};
  boost::beast::websocket::response_type response_;
  bool closed_ = false;
};

}  // namespace sidecar::dev
