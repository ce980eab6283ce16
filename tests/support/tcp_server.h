// A loopback server of which a test writes the conversation, one thread a connection.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace sidecar::testing {

/// Listens on a free port of 127.0.0.1 and calls the script with each connection, which is
/// blocking. Its end breaks off what is still going on; exceptions end a script.
class TcpServer {
 public:
  using Socket = boost::asio::ip::tcp::socket;

  explicit TcpServer(std::function<void(Socket)> script)
      : script_(std::move(script)), acceptor_(context_, {boost::asio::ip::address_v4::loopback(), 0}) {
    thread_ = std::thread([this] { Accept(); });
  }
  ~TcpServer() {
    shutdown(acceptor_.native_handle(), SHUT_RDWR);
    thread_.join();
    {
      const std::lock_guard lock(mu_);
      for (const int fd : open_) shutdown(fd, SHUT_RDWR);
    }
    for (std::thread& thread : threads_) thread.join();
    for (const int fd : open_) close(fd);
  }

  std::string port() const { return std::to_string(acceptor_.local_endpoint().port()); }
  int connections() const { return connections_; }

 private:
  void Accept() {
    for (;;) {
      boost::system::error_code error;
      Socket socket(context_);
      acceptor_.accept(socket, error);
      if (error) return;
      ++connections_;
      const std::lock_guard lock(mu_);
      open_.push_back(dup(socket.native_handle()));
      threads_.emplace_back([this, fd = open_.back(), socket = std::move(socket)]() mutable {
        try {
          script_(std::move(socket));
        } catch (const std::exception&) {
          // The client is gone, which most scripts end with.
        }
        shutdown(fd, SHUT_RDWR);  // closing the socket is not enough while we hold a duplicate
      });
    }
  }

  const std::function<void(Socket)> script_;
  boost::asio::io_context context_;
  boost::asio::ip::tcp::acceptor acceptor_;
  std::atomic<int> connections_{0};
  std::mutex mu_;
  std::vector<int> open_;
  std::vector<std::thread> threads_;
  std::thread thread_;
};

}  // namespace sidecar::testing
