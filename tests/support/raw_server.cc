#include "support/raw_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace sidecar::testing {
namespace {

/// Reads one request with its body; empty when the peer closed.
std::string ReadRequest(int fd, std::string& buffer) {
  char chunk[65536];
  for (;;) {
    const size_t head_end = buffer.find("\r\n\r\n");
    if (head_end != std::string::npos) {
      size_t body = 0;
      const size_t at = buffer.find("Content-Length:");
      if (at != std::string::npos && at < head_end) body = std::strtoul(buffer.c_str() + at + 15, nullptr, 10);
      const size_t total = head_end + 4 + body;
      if (buffer.size() >= total) {
        std::string request = buffer.substr(0, total);
        buffer.erase(0, total);
        return request;
      }
    }
    const ssize_t got = recv(fd, chunk, sizeof(chunk), 0);
    if (got <= 0) return "";
    buffer.append(chunk, static_cast<size_t>(got));
  }
}

}  // namespace

bool RawServer::Connection::Send(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

bool RawServer::Connection::SendOk(std::string_view body) const {
  return Send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body));
}

void RawServer::Connection::Reset() const {
  const linger hard{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
}

RawServer::RawServer(Script script) : script_(std::move(script)) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener_, 1024) != 0) std::abort();
  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { Accept(); });
}

RawServer::~RawServer() {
  shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  close(listener_);
  {
    const std::lock_guard lock(mu_);
    for (const int fd : open_) shutdown(fd, SHUT_RDWR);
  }
  for (std::thread& thread : threads_) thread.join();
}

void RawServer::Accept() {
  for (;;) {
    const int fd = accept(listener_, nullptr, nullptr);
    if (fd < 0) return;
    const int number = ++connections_;
    const std::lock_guard lock(mu_);
    open_.push_back(fd);
    threads_.emplace_back([this, fd, number] { Serve(fd, number); });
  }
}

void RawServer::Serve(int fd, int number) {
  std::string buffer;
  Connection connection{.fd = fd, .number = number};
  for (std::string request; !(request = ReadRequest(fd, buffer)).empty();) {
    ++requests_;
    ++connection.request;
    if (!script_(connection, request)) break;
  }
  const std::lock_guard lock(mu_);
  std::erase(open_, fd);
  close(fd);
}

}  // namespace sidecar::testing
