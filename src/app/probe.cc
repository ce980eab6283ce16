// health and ready: ask the probes of a running daemon, for images without a shell.
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <cstdio>

#include "adapters/system/files.h"
#include "app/configuration.h"
#include "app/exit_codes.h"
#include "app/target.h"
#include "app/verbs.h"
#include "text/text.h"

namespace sidecar {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

constexpr std::chrono::seconds kProbeTimeout{3};

/// Status of GET path, or 0 when nobody answered in time.
unsigned HttpStatusOf(const std::string& host, uint16_t port, const std::string& path) {
  asio::io_context context;
  beast::tcp_stream stream(context);
  stream.expires_after(kProbeTimeout);
  beast::flat_buffer buffer;
  http::request<http::empty_body> request(http::verb::get, path, 11);
  request.set(http::field::host, HostAndPort(host, port));
  request.set(http::field::connection, "close");
  http::response<http::string_body> response;
  unsigned status = 0;
  stream.async_connect(asio::ip::tcp::endpoint(asio::ip::make_address(host), port),
                       [&](beast::error_code connect_error) {
                         if (connect_error) return;
                         http::async_write(stream, request, [&](beast::error_code write_error, size_t) {
                           if (write_error) return;
                           http::async_read(stream, buffer, response, [&](beast::error_code read_error, size_t) {
                             if (!read_error) status = response.result_int();
                           });
                         });
                       });
  context.run();
  return status;
}

}  // namespace

int Probe(const Environment& environment, const Arguments& arguments, bool ready) {
  if (!arguments.empty()) {
    std::fprintf(stderr, "stigg-sidecar: this verb takes no arguments\n");
    return kExitUsage;
  }
  const LoadedConfig loaded = LoadConfig(environment, Purpose::kClient, ReadFile);
  if (!loaded.violations.empty()) return ReportViolations(loaded);
  const Config& config = loaded.config;
  // Without an HTTP port the probes still answer on the gRPC port.
  const uint16_t port = config.http_port != 0 ? config.http_port : config.port;
  std::string asked;
  unsigned status = 0;
  for (const std::string& host : HostsToDial(config.listen_address)) {
    status = HttpStatusOf(host, port, ready ? config.ready_path : config.health_path);
    if (status != 0) break;
    StrAppend(&asked, asked.empty() ? "" : " and ", HostAndPort(host, port));
  }
  if (status == 200) {
    std::printf("UP\n");
    return kExitOk;
  }
  if (status == 0) {
    std::fprintf(stderr, "stigg-sidecar: nobody answers on %s\n", asked.c_str());
  } else {
    std::fprintf(stderr, "DOWN (HTTP %u)\n", status);
  }
  return kExitFailure;
}

}  // namespace sidecar
