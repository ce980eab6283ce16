// HTTP/1.1 of probes and of the admin pages: bytes on a connection, in two pieces.
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>

#include "adapters/http_server/http_server.h"
#include "fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sidecar;
  namespace asio = boost::asio;
  if (size > 32 << 10) return 0;  // fits the socket's buffer: nobody reads meanwhile
  asio::io_context context;
  int handled = 0;
  HttpServer server(context,
                    [&](const ServerRequest& request, Respond respond) {
                      ++handled;
                      PercentDecode(request.path);
                      QueryValue(request.query, "customer");
                      (void)request.Header("Authorization");
                      std::move(respond)({.status = 200, .body = R"({"status":"UP"})"});
                    },
                    {.body_bytes_max = 4096});
  int ends[2];
  fuzz::Require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0, "a pair of sockets");
  asio::ip::tcp::socket socket(context, asio::ip::tcp::v4(), ends[1]);
  const size_t first = size == 0 ? 0 : data[0] % (size + 1);
  server.Serve(std::move(socket), fuzz::Text(data, first));
  context.poll();
  (void)!send(ends[0], data + first, size - first, MSG_NOSIGNAL);  // it may have closed already
  context.restart();
  context.poll();
  shutdown(ends[0], SHUT_WR);
  context.restart();
  context.poll();
  char answer[64 << 10];
  const ssize_t got = read(ends[0], answer, sizeof(answer));
  if (got > 0)
    fuzz::Require(std::string_view(answer, static_cast<size_t>(got)).starts_with("HTTP/1."), "an answer is HTTP");
  fuzz::Require(handled == 0 || got > 0, "what was handled is answered");
  close(ends[0]);
  return 0;
}
