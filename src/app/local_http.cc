#include "app/local_http.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include "app/target.h"
#include "text/text.h"

namespace sidecar {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

LocalAnswer AskLocally(const std::string& host, uint16_t port, const std::string& target, const std::string& token,
                       std::chrono::seconds timeout) {
  asio::io_context context;
  beast::tcp_stream stream(context);
  stream.expires_after(timeout);
  beast::flat_buffer buffer;
  http::request<http::empty_body> request(http::verb::get, target, 11);
  request.set(http::field::host, HostAndPort(host, port));
  request.set(http::field::accept, "application/json");
  request.set(http::field::connection, "close");
  if (!token.empty()) request.set(http::field::authorization, StrCat("Bearer ", token));
  http::response<http::string_body> response;
  LocalAnswer answer;
  stream.async_connect(asio::ip::tcp::endpoint(asio::ip::make_address(host), port),
                       [&](beast::error_code connect_error) {
                         if (connect_error) return;
                         http::async_write(stream, request, [&](beast::error_code write_error, size_t) {
                           if (write_error) return;
                           http::async_read(stream, buffer, response, [&](beast::error_code read_error, size_t) {
                             if (read_error) return;
                             answer = {.status = response.result_int(), .body = std::move(response.body())};
                           });
                         });
                       });
  context.run();
  return answer;
}

std::string PercentEncode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (IsAlphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~') {
      out.push_back(c);
    } else {
      StrAppend(&out, "%", ToUpper(Hex({&c, 1})));
    }
  }
  return out;
}

}  // namespace sidecar
