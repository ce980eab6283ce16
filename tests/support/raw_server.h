// A loopback HTTP/1.1 peer that does exactly what a test tells it, down to the byte.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace sidecar::testing {

/// Accepts connections on a free port, one thread each. For every complete request it calls
/// the script, on the connection's thread. Ends with its last connection closed.
class RawServer {
 public:
  struct Connection {
    int fd = -1;
    int number = 0;   ///< of the connection, from 1
    int request = 0;  ///< of the request on it, from 1

    /// Writes bytes; false when the peer is gone.
    bool Send(std::string_view bytes) const;
    /// A complete 200 with this body.
    bool SendOk(std::string_view body) const;
    /// Closes with RST instead of FIN.
    void Reset() const;
  };

  /// False closes the connection.
  using Script = std::function<bool(const Connection& connection, const std::string& request)>;

  explicit RawServer(Script script);
  ~RawServer();

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  int connections() const { return connections_; }
  int requests() const { return requests_; }

 private:
  void Accept();
  void Serve(int fd, int number);

  const Script script_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<int> connections_{0};
  std::atomic<int> requests_{0};
  std::mutex mu_;
  std::vector<int> open_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace sidecar::testing
