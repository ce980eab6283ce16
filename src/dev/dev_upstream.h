// The local upstream of `stigg-sidecar dev`: a loopback HTTP server with the cloud's API, a
// WebSocket on which changes are pushed, a control endpoint for faults, and a data file that may
// be edited while it runs.
#pragma once

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "adapters/http_server/http_server.h"
#include "adapters/net/io_thread.h"
#include "adapters/world/world.h"
#include "dev/cloud_api.h"
#include "dev/faults.h"
#include "dev/push_hub.h"

namespace sidecar::dev {

/// Runs on a thread of its own until destroyed.
class DevUpstream {
 public:
  struct Options {
    std::string data_file;              ///< empty: the built-in world
    std::string address = "127.0.0.1";  ///< of IPv4 or IPv6, to listen on
    uint16_t port = 0;                  ///< 0: any free one
    PushHub::Limits push = {};
  };

  /// INVALID_ARGUMENT: the data file cannot be used (the message lists why). UNAVAILABLE:
  /// the address or the port cannot be bound.
  static absl::StatusOr<std::unique_ptr<DevUpstream>> Start(const Options& options, Clock& clock);
  ~DevUpstream();

  /// As this machine reaches it.
  std::string url() const;

 private:
  DevUpstream(const Options& options, WorldData data, Clock& clock);

  absl::Status Listen();
  void Accept();
  void Handle(const ServerRequest& request, Respond respond);
  ServerResponse Control(const ServerRequest& request);
  ServerResponse ControlFaults(const ServerRequest& request);
  ServerResponse ControlPush(const ServerRequest& request);
  void Serve(Channel channel, const ServerRequest& request, Respond respond);
  void WatchDataFile();

  const Options options_;
  World world_;
  CloudApi api_;
  Faults faults_;
  PushHub push_;
  std::atomic<uint64_t> edge_requests_{0};
  std::atomic<uint64_t> graphql_requests_{0};
  int64_t data_file_stamp_ = 0;
  IoThread io_;
  std::unique_ptr<HttpServer> server_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer watch_timer_;
};

/// Reads and checks a data file; the status lists every violation.
absl::StatusOr<WorldData> LoadWorld(const std::string& path);

}  // namespace sidecar::dev
